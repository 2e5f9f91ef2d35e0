"""Compile C for Cortex-M processors, and run it on emulated boards that count instructions.

QEMU's clock moves by eight nanoseconds with every instruction (`-icount shift=3`), and the device
reads it by its own timer. Instructions are exact within a tick; they are not cycles.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.needs import skip_or_fail

HERE = Path(__file__).parent
COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
REQUIRED = "SYNANN_EMULATOR_REQUIRED"
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic"]
SHIFT = 3  # an instruction takes 2^SHIFT ns


class Board(NamedTuple):
    """An emulated board: its processor, memory and timer."""

    machine: str
    options: tuple[str, ...]  # of the compiler
    flash: int
    ram: int
    tick: float  # ns, of the timer

    @property
    def tick_instructions(self):
        return self.tick / 2**SHIFT


# RAM of the mps2 boards, which have megabytes, is as small as that of microcontrollers.
BOARDS = {
    "M0": Board("microbit", ("-mcpu=cortex-m0",), 1 << 18, 1 << 14, 62.5),
    "M3": Board("mps2-an385", ("-mcpu=cortex-m3",), 1 << 20, 1 << 16, 40.0),
    "M4F": Board(
        "mps2-an386",
        ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        1 << 20,
        1 << 16,
        40.0,
    ),
}


class Program(NamedTuple):
    """A model's C file, and how a step calls it."""

    model: Path
    input: str  # a declaration such as "float x[64]"
    output: str
    step: str  # statements


class Size(NamedTuple):
    """Bytes of a model in a linked image."""

    constants: int
    code: int
    libraries: int  # the functions of math.h and of the compiler that it needs
    variables: int  # its own, its state, and those of the libraries


class Run(NamedTuple):
    """What came out of a run."""

    output: bytes
    instructions: np.ndarray  # of each step
    stack: int  # bytes, the most of any step


def missing():
    """Why nothing can be emulated; None where it can be."""
    absent = [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]
    if not absent:
        found = subprocess.run(
            [COMPILER, "-mcpu=cortex-m0", "-mthumb", "-print-file-name=nano.specs"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        absent = [] if "/" in found.stdout else ["newlib"]
    return f"{' and '.join(absent)} missing: apt-get install {PACKAGES}" if absent else None


def need_emulator():
    """Skip a test where nothing can be emulated; fail where that is required."""
    why = missing()
    if why:
        skip_or_fail(why, REQUIRED)


def compile_object(source, board, made, options=()):
    """An object of one C file, small rather than fast, as for a device."""
    flags = [*STRICT, *board.options, "-mthumb", "-Os", *options]
    subprocess.run([COMPILER, *flags, "-c", source, "-o", made], check=True)


def build(program, board, folder):
    """Link a program; returns the image and the model's size in it."""
    text = f"""#include "device.h"
{declarations(program.model.read_text())}
static {program.input} __attribute__((section(".bss.io")));
static {program.output} __attribute__((section(".bss.io")));
void *const input = {_name(program.input)};
void *const output = {_name(program.output)};
const uint32_t input_bytes = sizeof {_name(program.input)};
const uint32_t output_bytes = sizeof {_name(program.output)};
void step(void)
{{
    {program.step}
}}
"""
    (folder / "program.c").write_text(text)
    objects = [folder / f"{name}.o" for name in ("device", "program", "model")]
    for source, made in zip(
        (HERE / "device.c", folder / "program.c", program.model), objects, strict=True
    ):
        own = ["-std=c11", "-fno-tree-loop-distribute-patterns"] if made.stem == "device" else []
        compile_object(source, board, made, [f"-I{HERE}", *own])
    image = folder / "image.elf"
    memory = [f"-Wl,--defsym={name}={getattr(board, name.lower())}" for name in ("FLASH", "RAM")]
    subprocess.run(
        [COMPILER, *board.options, "-mthumb", "--specs=nano.specs", "-nostartfiles", *memory,
         f"-T{HERE / 'cortex_m.ld'}", *objects, "-lm", "-o", image],
        check=True,
    )  # fmt: skip
    whole, (device, own, model) = _sections(image), [_sections(made) for made in objects]
    flash, ram = (
        sum(whole[kind] - device[kind] - own[kind] - model[kind] for kind in kinds)
        for kinds in (("text", "rodata"), ("data", "bss", "io"))
    )
    variables = ram + sum(part[kind] for part in (own, model) for kind in ("data", "bss"))
    return image, Size(model["rodata"], model["text"], flash, variables)


def declarations(text):
    """What a written C file asks to put into a header."""
    body = re.sub(r"\A/\*.*?\*/", "", text, flags=re.DOTALL)
    body = re.sub(r"^#.*$", "", body, flags=re.MULTILINE)
    return re.split(r"^(?=static |/\*)", body, maxsplit=1, flags=re.MULTILINE)[0].strip()


def _name(declaration):
    return declaration.split("[")[0].split()[-1]


def _sections(path):
    """Bytes of code, constants, variables, zeros and records, in the linker's whole words."""
    report = subprocess.run(
        ["arm-none-eabi-size", "-A", path], check=True, capture_output=True, text=True
    ).stdout
    found = dict.fromkeys(("text", "rodata", "data", "bss", "io"), 0)
    kinds = {".vectors": "text", ".bss.io": "io"}
    for line in report.splitlines():
        name, size = [*line.split(), "", ""][:2]
        kind = kinds.get(name, name.split(".")[1] if name.startswith(".") else "")
        if kind in found:
            found[kind] += -(-int(size) // 4) * 4
    return found


def run(image, board, records, folder, *, seconds=300):
    """Run an image on the records (bytes); `folder` is where the device's files are."""
    (folder / "input").write_bytes(records)
    command = [
        *(EMULATOR, "-machine", board.machine, "-kernel", image.resolve()),
        *("-icount", f"shift={SHIFT}", "-nographic", "-monitor", "none", "-serial", "none"),
        *("-semihosting-config", "enable=on,target=native"),
    ]
    subprocess.run(command, check=True, cwd=folder, timeout=seconds, stdin=subprocess.DEVNULL)
    counts = np.fromfile(folder / "counts", np.uint32).reshape(-1, 2)
    instructions = counts[:, 0] * board.tick_instructions
    return Run((folder / "output").read_bytes(), instructions, int(counts[:, 1].max(initial=0)))
