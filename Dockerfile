# docker build -t simclr .
# docker run --rm -v "$PWD:/work" simclr pretrain --dataset=folder:photos --run=runs/photos
#
# TensorFlow for the CPU. For GPUs start from an image that has TensorFlow 2.15 for them,
# and install as the README says of a machine with its own TensorFlow.
FROM python:3.11-slim
WORKDIR /opt/simclr_tf
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY simclr_tf simclr_tf
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
WORKDIR /work
ENTRYPOINT ["simclr"]
CMD ["--help"]
