"""The emulated boards count what they say they count, and fail where something fails."""

import subprocess

import numpy as np
import pytest

from synann_core.export import save_c
from tests.emulator import cortex_m
from tests.emulator.__main__ import main, measured
from tests.emulator.cortex_m import BOARDS, Program, build, need_emulator, run
from tests.emulator.models import latch
from tests.export_models import fitted
from tests.whole_numbers import network_logits


@pytest.fixture(params=BOARDS)
def board(request):
    need_emulator()
    return BOARDS[request.param]


def written(folder, step, model="typedef int nothing;\n"):
    """A program whose records are one number, and whose model is any C."""
    (folder / "model.c").write_text(f"#include <stdint.h>\n{model}")
    return Program(folder / "model.c", "uint32_t x[1]", "uint32_t out[1]", step)


LOOP = """uint32_t turns = x[0];
    __asm__ volatile(".syntax unified\\n1: subs %0, #1\\n bne 1b" : "+l"(turns) : : "cc");
    out[0] = turns + 7;"""


def test_instructions_of_a_loop_are_counted(board, tmp_path):
    """Two in each turn, and some before and after; the timer's tick is 5 or 8."""
    image, _ = build(written(tmp_path, LOOP), board, tmp_path)
    turns = np.array([1, 10, 1000, 100_000, 1_000_000], np.uint32)
    found = run(image, board, turns.tobytes(), tmp_path)
    assert (np.abs(found.instructions - 2 * turns - 5) < 10).all()
    assert np.frombuffer(found.output, np.uint32).tolist() == [7] * 5
    assert found.stack == 0


def test_what_the_timer_cannot_count_is_an_error(board, tmp_path):
    image, _ = build(written(tmp_path, LOOP), board, tmp_path)
    turns = np.array([2**26 * board.tick_instructions / 2**3], np.uint32)
    with pytest.raises(subprocess.CalledProcessError):
        run(image, board, turns.tobytes(), tmp_path)


def test_a_fault_is_an_error(board, tmp_path):
    image, _ = build(written(tmp_path, '__asm__ volatile("udf #0");'), board, tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        run(image, board, bytes(4), tmp_path)


MODEL = """
extern uint32_t kept[10];
uint32_t filled(uint32_t value);
static const uint32_t table[100] = {1, 2, 3};
uint32_t kept[10] = {5};
uint32_t filled(uint32_t value)
{
    volatile uint32_t room[250];
    for (int i = 0; i < 250; i++)
        room[i] = value + table[i % 3];
    kept[1] += room[249];
    return kept[0] + kept[1];
}
"""


def test_sizes_stack_and_variables(board, tmp_path):
    """Variables start with their values, and keep them from step to step."""
    step = "static uint32_t state[5];\n    out[0] = filled(x[0]) + state[x[0] % 5]++;"
    image, size = build(written(tmp_path, step, MODEL), board, tmp_path)
    found = run(image, board, np.array([10, 20], np.uint32).tobytes(), tmp_path)
    assert np.frombuffer(found.output, np.uint32).tolist() == [16, 38]
    assert size.constants == 400
    assert size.variables == 40 + 20
    assert 1000 <= found.stack <= 1048
    assert 40 <= size.code <= 120
    # Cortex-M0 divides by software.
    assert size.libraries < 8 or "m0" in board.options[0]


@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
@pytest.mark.parametrize("dtype", ["int16", "int8"])
def test_whole_numbers_are_the_same_bits(gate, dtype, tmp_path):
    need_emulator()
    model, X = fitted(gate=gate)
    x = np.rint(255 * X[:50]).astype(np.uint8)
    save_c(model, tmp_path / "model.c", name="own", dtype=dtype)
    program = Program(tmp_path / "model.c", "uint8_t x[7]", "int64_t out[3]", "own_logits(x, out);")
    image, _ = build(program, BOARDS["M0"], tmp_path)
    found = run(image, BOARDS["M0"], x.tobytes(), tmp_path)
    got = np.frombuffer(found.output, np.int64).reshape(-1, 3)
    np.testing.assert_array_equal(got, network_logits(model, dtype, 255, x)[0])


def test_the_table(monkeypatch, capsys):
    need_emulator()
    monkeypatch.setattr("tests.emulator.__main__.all_cases", lambda: [latch()])
    main()
    printed = capsys.readouterr().out
    assert printed.count("100 of 100") == 1  # of the board with floating point
    assert printed.count("10 of 10\n") == 2


def test_wrong_answers_end_the_table(monkeypatch):
    need_emulator()
    case = latch()
    monkeypatch.setattr(
        "tests.emulator.__main__.all_cases", lambda: [case._replace(wanted=case.wanted + 0.01)]
    )
    with pytest.raises(SystemExit, match=r"on M0: 0 of 10\n.*\n.*on M4F: 0 of 100"):
        main()


def test_a_share_of_wrong_answers_may_be_allowed():
    need_emulator()
    case = latch()
    wanted = case.wanted.copy()
    wanted[0] += 1
    assert measured(case._replace(wanted=wanted), "M4F", BOARDS["M4F"])[1]
    assert not measured(case._replace(wanted=wanted, least=0.99), "M4F", BOARDS["M4F"])[1]


def test_without_tools_tests_are_skipped_unless_required(monkeypatch):
    monkeypatch.setattr(cortex_m.shutil, "which", lambda tool: None)
    monkeypatch.delenv(cortex_m.REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install gcc-arm-none-eabi"):
        need_emulator()
    monkeypatch.setenv(cortex_m.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="SYNANN_EMULATOR_REQUIRED is set"):
        need_emulator()
