"""Headers tell where records lie, and a header that lies is found out."""

import gzip
import os
import struct

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data.record_file import first_record, read_record, scan, size_and_time
from simclr_tf.data.source import DataError
from tests.data.record_files import write_records

_RECORDS = [b"first", b"", b"x" * 70000, b"last"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.tfrecord"
    write_records(path, _RECORDS)
    return path


def _masked_crc(data):
    """The checksum as TensorFlow itself writes it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _lie(path, offset, length):
    """Claims another length at a record's header, with the right checksum."""
    claimed = struct.pack("<Q", length)
    contents = bytearray(path.read_bytes())
    contents[offset : offset + 12] = claimed + struct.pack("<I", _masked_crc(claimed))
    path.write_bytes(contents)


def test_every_record_is_found_and_read(file):
    scanned = scan(str(file))
    assert scanned.lengths.tolist() == [len(record) for record in _RECORDS]
    assert scanned.offsets.tolist() == [0, 21, 37, 37 + 70016]
    read = tf.function(read_record)
    for record, offset, length in zip(_RECORDS, scanned.offsets, scanned.lengths):
        found = read(tf.constant(str(file)), tf.constant(offset), tf.constant(length))
        assert found.numpy() == record
    assert first_record(str(file)) == b"first"


def test_a_remote_file_is_scanned_in_large_pieces(file, monkeypatch):
    remote = "ram://folder/a.tfrecord"
    tf.io.gfile.copy(str(file), remote, overwrite=True)
    assert scan(remote).digest == scan(str(file)).digest
    for chunk in (1, 16, 50):
        monkeypatch.setattr("simclr_tf.data.record_file._REMOTE_CHUNK", chunk)
        np.testing.assert_array_equal(scan(remote).lengths, scan(str(file)).lengths)
    assert first_record(remote) == b"first"
    with pytest.raises(DataError, match=r"ram://none cannot be read"):
        scan("ram://none")


def test_the_digest_is_of_the_contents(file, tmp_path):
    write_records(tmp_path / "b", [*_RECORDS[:-1], b"lost"])
    assert scan(str(file)).digest != scan(str(tmp_path / "b")).digest


def test_an_empty_file_holds_no_records(tmp_path):
    (tmp_path / "a").touch()
    assert len(scan(str(tmp_path / "a")).lengths) == 0
    assert first_record(str(tmp_path / "a")) is None


@pytest.mark.parametrize("length", [23, 2**31, 2**63 - 1, 2**64 - 17, 2**64 - 1])
@pytest.mark.parametrize("offset", [0, 21, 37])
def test_a_length_that_lies_is_found(file, offset, length):
    """TensorFlow's reader would ask for the memory, and the process would end."""
    length = max(length, 70073)
    _lie(file, offset, length)
    told = f"record at byte {offset} claims {length:,} bytes.*ends after 70,073"
    with pytest.raises(DataError, match=told):
        scan(str(file))
    if offset == 0:
        with pytest.raises(DataError, match=told):
            first_record(str(file))


def test_a_length_that_lies_within_the_file_meets_no_record(file):
    _lie(file, 37, 69000)
    with pytest.raises(DataError, match="at byte 69,053, where a record should begin"):
        scan(str(file))


@pytest.mark.parametrize("lost", [1, 10, 19, 100])
def test_a_file_cut_short_is_told(file, lost):
    file.write_bytes(file.read_bytes()[:-lost])
    with pytest.raises(DataError, match=r"a\.tfrecord was cut short or is damaged"):
        scan(str(file))


@pytest.mark.parametrize("read", [scan, first_record])
def test_what_is_no_tfrecord_file_is_told(tmp_path, file, read):
    packed, text = tmp_path / "packed", tmp_path / "text"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    with pytest.raises(DataError, match=r"packed is compressed by gzip.*gunzip it"):
        read(str(packed))
    for contents in (b"not a record at all", b"\0" * 100, b"\n"):
        text.write_bytes(contents)
        with pytest.raises(DataError, match="text"):
            read(str(text))


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "endless").symlink_to("/dev/zero")
    kinds = {"pipe": "named pipe", "folder": "folder", "endless": "device"}
    for name, kind in kinds.items():
        for look in (size_and_time, scan, first_record):
            with pytest.raises(DataError, match=f"{name} is a {kind} and no TFRecord"):
                look(str(tmp_path / name))
    with pytest.raises(DataError, match=r"gone cannot be read: .*No such file"):
        scan(str(tmp_path / "gone"))


def test_a_change_within_a_second_is_seen(file):
    os.utime(file, ns=(5, 10**18 + 1))
    before = size_and_time(str(file))
    os.utime(file, ns=(5, 10**18 + 2))
    assert before == (70073, 10**18 + 1)
    assert size_and_time(str(file)) == (70073, 10**18 + 2)
