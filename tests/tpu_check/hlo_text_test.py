"""Compiled programs are read rightly; the text is as libtpu writes it."""

import pytest

from simclr_tf.tpu_check.hlo_text import collectives, main_memory_traffic, size

TEXT = """\
HloModule main, is_scheduled=true

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[]{:T(128)} parameter(0)
  %b = f32[]{:T(128)} parameter(1)
  ROOT %add = f32[]{:T(128)} add(%a, %b)
}

ENTRY %main (x: f32[8,2,16], y: bf16[64,4]) -> (f32[8,2,16], bf16[64,4]) {
  %x = f32[8,2,16]{2,0,1:T(8,128)} parameter(0)
  %y = bf16[64,4]{1,0:T(8,128)(2,1)} parameter(1)
  %near = f32[8,2,16]{2,0,1:T(8,128)S(1)} copy(%x), metadata={op_name="a(b)"}
  %all-reduce.1 = f32[8,2,16]{2,0,1:T(8,128)S(1)} all-reduce(%near), replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%sum
  %all-reduce.2 = (f32[8,2,16]{2,0,1:T(8,128)}, /*index=1*/f32[3]{0:T(128)}) all-reduce(%x, %near), replica_groups=[1,8]<=[8], to_apply=%sum
  %part = f32[8,2,16]{2,0,1:T(8,128)} get-tuple-element(%all-reduce.2), index=0
  %all-gather-start.1 = (bf16[64,4]{1,0:T(8,128)(2,1)}, bf16[512,4]{1,0:T(8,128)(2,1)}) all-gather-start(%y), replica_groups={}, dimensions={0}
  %all-gather-done.1 = bf16[512,4]{1,0:T(8,128)(2,1)} all-gather-done(%all-gather-start.1)
  ROOT %out = (f32[8,2,16], bf16[64,4]) tuple(%part, %y)
}
"""  # noqa: E501


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("f32[]", 4),
        ("f32[8,2,16]{2,0,1:T(8,128)}", 1024),
        ("bf16[3]", 6),
        ("pred[10]", 10),
        ("u8[5,5]", 25),
        ("s4[4]", 2),
        ("c64[2]", 16),
        ("f8e4m3fn[8]", 8),
        ("(f32[2]{0}, s64[3]{0:T(256)})", 32),
    ],
)
def test_size_of_a_type(text, bytes_):
    assert size(text) == bytes_


def test_on_chip_memory_is_told_from_main_memory():
    assert size("f32[8]{0:T(128)S(1)}", main_memory_only=True) == 0
    assert size("(f32[8]{0:T(128)S(1)}, f32[2]{0})", main_memory_only=True) == 8


def test_each_collective_is_found_once_with_its_group():
    found = [tuple(collective) for collective in collectives(TEXT, replicas=8)]
    assert found == [
        ("all-reduce", 1024, 4),
        ("all-reduce", 1024 + 12, 8),
        ("all-gather", 8 * 512, 8),
    ]


def test_traffic_counts_what_lies_in_main_memory():
    copy = 1024  # reads x, writes on chip
    second_sum = 1024 + 1024 + 12  # reads x, writes both results
    gather = 512 + 8 * 512
    assert main_memory_traffic(TEXT) == copy + second_sum + gather
