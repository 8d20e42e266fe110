"""`python -m simclr_tf`, the same as the `simclr` command."""

from simclr_tf.cli.main import run

if __name__ == "__main__":
    run()
