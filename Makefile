# Everything sets itself up in .venv; only Python 3.11+ with pip and venv, and make, are needed.
#   make demo    a diagnosis with its reasons, and handwritten digits; pictures in outputs/
#   make test    all tests, on NumPy, array-api-strict, torch, JAX and Keras
#   make examples    every example that needs no files of MNIST, about a minute; pictures in outputs/
#   make docs    the site, in build/site
#   make dashboard   all benchmarks, and a site of their results; dashboard-site: of those that are kept
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Versions that were tested together. Without the file: make demo CONSTRAINTS=
CONSTRAINTS ?= -c requirements/tested.txt
# Modules are compiled when they are first imported: most of what comes along never is.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile $(CONSTRAINTS)

.PHONY: demo digits-seeds examples test test-all fuzz kernel-branches lint wheel pythons lower-bounds kernels widths \
	sanitize sanitize-kernels emulate emulate-aarch64 emulate-haswell emulate-cortex-m clang threads bench \
	docs dashboard dashboard-site history golden clean

demo: $(VENV)/.demo
	$(BIN)/python examples/diagnose.py
	$(BIN)/python examples/digits.py

digits-seeds: $(VENV)/.demo
	$(BIN)/python examples/studies/digits_seeds.py

# The whole diagnosis study takes minutes: python examples/studies/diagnosis.py
EXAMPLES := diagnose circuits pictures explain ask rules tariff odds credit edge membrane initial_values \
	studies/explain_table studies/edge_learner studies/encoders studies/stdp studies/spikeprop_xor
# The rivals' small products, too, would wait for idle threads of BLAS: docs/performance.md.
ONE_BLAS_THREAD := OPENBLAS_NUM_THREADS=1
examples: $(VENV)/.test
	set -e; export $(ONE_BLAS_THREAD); \
	for name in $(EXAMPLES); do echo "== $$name"; $(BIN)/python examples/$$name.py; done
	$(ONE_BLAS_THREAD) $(BIN)/python examples/studies/diagnosis.py --quick
	$(ONE_BLAS_THREAD) $(BIN)/python examples/studies/epidemic.py --every 28

# Processes for the tests; each may use two threads or so. Idle ones take tests from the others.
PROCESSES ?= 2
PYTEST := $(ONE_BLAS_THREAD) $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal
test: $(VENV)/.test
	$(PYTEST)

# What CI leaves out, and its parts in full. Needs Debian's packages gcc, clang and those of CROSS.
CROSS := gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user gcc-arm-none-eabi \
	libnewlib-arm-none-eabi qemu-system-arm
test-all: $(VENV)/.test
	@for tool in cc clang aarch64-linux-gnu-gcc qemu-aarch64 qemu-x86_64 arm-none-eabi-gcc qemu-system-arm; \
	do command -v $$tool > /dev/null || { echo "$$tool is missing: apt-get install gcc clang $(CROSS)"; exit 1; }; done
	SYNANN_KERNELS=off $(PYTEST)
	SYNANN_TEST_SEEDS=200 $(PYTEST) tests/synann_core/test_branches.py \
	tests/synann_core/noisy_or/test_bounds.py
	SYNANN_TEST_BACKENDS=jax,jax-jit $(PYTEST) tests/synann_core -m jax_alternates
	SYNANN_TEST_KERAS=whole $(PYTEST) tests/synann_keras/test_backends.py -k test_suite
	SYNANN_TEST_ENGINES=whole $(PYTEST) tests/examples/studies/test_several_devices.py
	$(MAKE) widths sanitize threads emulate emulate-cortex-m clang
	$(MAKE) wheel
	$(MAKE) pythons lower-bounds

# Other Pythons that are installed here, with the wheel in dist/ and the newest libraries.
PYTHONS ?= 3.12 3.13 3.14
pythons: $(VENV)/.test
	$(ONE_BLAS_THREAD) $(BIN)/python .ci/environments.py pythons $(PYTHONS)

# Exactly the lower bounds of the dependencies, a group of extras at a time: all, or GROUPS="base jax".
lower-bounds: $(VENV)/.test
	$(ONE_BLAS_THREAD) $(BIN)/python .ci/environments.py lower-bounds $(GROUPS)

# Damaged files for every loader and random models for the exporters; `make test` tries some hundred.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.test
	$(ONE_BLAS_THREAD) $(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

# Tests of what has a compiled branch, without it.
kernel-branches: $(VENV)/.test
	SYNANN_TEST_BACKENDS=numpy,torch SYNANN_KERNELS=off $(PYTEST) -m kernel_branches \
	$$(grep -rl 'pytest.mark.kernel_branches' tests/synann_core)

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/python docs/extensions/cells.py build/cells > /dev/null
	$(BIN)/mypy build/cells/*.py
	$(BIN)/basedpyright --project pyproject.toml

# The source distribution, which holds all that git does, and the wheel built from it once unpacked,
# with the tag of the systems it runs on; each used in an environment that holds nothing else. Then built again as on a machine
# without a compiler.
MOST_BYTES := 3000000
USE_WHEEL := cd .wheel-venv && bin/python ../.ci/use_wheel.py
wheel: $(VENV)/.test
	rm -rf dist .wheel-venv
	SYNANN_NATIVE_REQUIRED=ON $(BIN)/python -m build --quiet --outdir dist/built
	mv dist/built/*.tar.gz dist
	(echo PKG-INFO; git ls-files --cached --others --exclude-standard) | sort > dist/built/wanted
	tar -tf dist/*.tar.gz | cut -d/ -f2- | sort | diff dist/built/wanted -
	$(ACTIVE) auditwheel repair --wheel-dir dist dist/built/*.whl
	$(BIN)/check-wheel-contents dist/*.whl
	test $$(stat -c %s dist/*.whl) -lt $(MOST_BYTES) || { echo "over $(MOST_BYTES) bytes"; exit 1; }
	$(PYTHON) -m venv .wheel-venv
	.wheel-venv/bin/python -m pip --disable-pip-version-check install --quiet $(CONSTRAINTS) dist/*.whl
	$(USE_WHEEL) native
	SYNANN_NATIVE_REQUIRED=OFF CC=none .wheel-venv/bin/python -m pip --disable-pip-version-check \
	install --quiet --no-deps --force-reinstall dist/*.tar.gz
	$(USE_WHEEL) array-api
	rm -r dist/built

# The kernels into the source tree, after a change in their sources.
KERNELS := -DNATIVE_REQUIRED=ON -DPython_EXECUTABLE=$(abspath $(BIN))/python -S synann_core/native
SHAPES := $(BIN)/python -m tests.synann_core.native.shapes
ACTIVE := PATH="$(abspath $(BIN)):$$PATH"
kernels: $(VENV)/.test
	$(ACTIVE) cmake -G Ninja $(KERNELS) -B build/native
	$(ACTIVE) cmake --build build/native
	$(ACTIVE) cmake --install build/native --prefix .

# Vectors of other widths, as other processors have them: the same bits. GCC warns that functions
# which take vectors of 64 bytes are called otherwise with AVX-512; they are all inline.
widths: build/calls
	for width in 16 64; do $(REPLAY) width$$width $(CC) v3 build/calls -march=x86-64-v3 -O2 \
	-DWIDTH=$$width -Wno-psabi || exit 1; done

# Memory errors and undefined behaviour: every kernel, and the module with its checks. -O0, as the
# checks would take minutes to compile otherwise.
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
sanitize-kernels: build/calls
	$(REPLAY) sanitized $(CC) v3 build/calls -march=x86-64-v3 -g -O0 $(SANITIZERS)
sanitize: sanitize-kernels
	$(ACTIVE) cmake -G Ninja $(KERNELS) -B build/sanitized -DSANITIZE=ON
	$(ACTIVE) cmake --build build/sanitized
	LD_PRELOAD=$$(cc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
	$(SHAPES) build/sanitized

# The kernels of another processor, and those of v3 on a processor that has no more, by emulators:
# the same bits. Needs the Debian packages of CROSS.
emulate: emulate-aarch64 emulate-haswell
emulate-aarch64: build/calls
	EMULATOR=qemu-aarch64 $(REPLAY) aarch64 aarch64-linux-gnu-gcc aarch64 build/calls -static -O3
emulate-haswell: build/calls
	EMULATOR="qemu-x86_64 -cpu Haswell" $(REPLAY) haswell $(CC) v3 build/calls -march=x86-64-v3 -static

# Exported models on emulated microcontrollers: what they need, and what they answer.
emulate-cortex-m: $(VENV)/.test
	$(ONE_BLAS_THREAD) $(BIN)/python -m tests.emulator

# Another compiler: the same bits; and the whole module, for all processors and without a warning.
clang: build/calls
	$(REPLAY) clang clang v3 build/calls -march=x86-64-v3
	$(ACTIVE) CC=clang cmake -G Ninja $(KERNELS) -B build/clang
	$(ACTIVE) cmake --build build/clang
	test "$$($(SHAPES) build/clang)" = "$$($(SHAPES) synann_core/native)"

REPLAY := sh tests/synann_core/native/replay.sh
build/calls: $(VENV)/.test tests/synann_core/native/calls.py
	mkdir -p build
	$(BIN)/python -m tests.synann_core.native.calls $@

# Races in the handlers that XLA calls from threads of its own.
SOURCES := contraction_forward contraction_backward contraction_narrow contraction_tangent contraction_outside
THREADED := $(CC) -std=c11 -O1 -g -fsanitize=thread -D_GNU_SOURCE -march=x86-64-v3 \
	-ffp-contract=off -fno-math-errno -fno-trapping-math -DLEVEL=v3 -Isynann_core/native
threads:
	mkdir -p build/threads
	for real in float double; do for name in $(SOURCES); do $(THREADED) -DREAL=$$real \
	-DREAL_IS_$$(echo $$real | tr a-z A-Z) -c synann_core/native/$$name.c \
	-o build/threads/$$name-$$real.o || exit 1; done; done
	$(THREADED) tests/synann_core/native/xla_threads.c synann_core/native/xla.c synann_core/native/xla_call.c \
	build/threads/*.o -lm -lpthread -o build/threads/driver
	build/threads/driver

# Every benchmark once on a tiny size; one that raises is a failure. `asv check` reads what asv reads.
bench: $(VENV)/.test
	cd asv_benchmarks && ../$(BIN)/asv machine --yes > /dev/null
	cd asv_benchmarks && SYNANN_BENCH_SMOKE=1 ../$(BIN)/asv check --python=same
	cd asv_benchmarks && SYNANN_BENCH_SMOKE=1 $(ONE_BLAS_THREAD) ../$(BIN)/python smoke.py

# The whole suite for the commit that is checked out, and the site in asv_benchmarks/html, which needs no
# network. The history beside it is in asv_benchmarks/history; `make dashboard-site` builds it from that.
ASV := cd asv_benchmarks && ../$(BIN)/asv
RUN := run --python=same --show-stderr --set-commit-hash $$(git rev-parse HEAD)
dashboard: $(VENV)/.test
	$(ASV) machine --yes > /dev/null
	$(ASV) $(RUN)
	$(MAKE) dashboard-site

dashboard-site: $(VENV)/.test
	$(ASV) machine --yes > /dev/null
	$(ASV) run --python=same --bench just-discover
	$(BIN)/python asv_benchmarks/dashboard.py gather
	rm -rf asv_benchmarks/html
	$(ASV) publish --no-pull
	$(BIN)/python asv_benchmarks/dashboard.py finish

# A minute: the headline of the commit that is checked out, kept in the history. Give a machine's name that
# others understand: make history MACHINE=epyc-2-cores
MACHINE ?= $$(hostname)
history: $(VENV)/.test
	$(ASV) machine --yes --machine $(MACHINE) > /dev/null
	export $(ONE_BLAS_THREAD); $(ASV) $(RUN) --machine $(MACHINE) --bench '^headline\.'
	$(BIN)/python asv_benchmarks/dashboard.py keep

# The site, from guides, tutorials (which run), examples (which run) and docstrings. No request is
# made, and every warning is a failure: of Sphinx, of a link, of a public name without a docstring.
SPHINX := $(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --jobs $(PROCESSES)
docs: $(VENV)/.test
	$(ONE_BLAS_THREAD) $(SPHINX) -b html -d build/doctrees docs build/site

golden: $(VENV)/.test
	$(BIN)/python -m reference.golden

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

NATIVE := $(wildcard synann_core/native/*.c synann_core/native/*.h) synann_core/native/CMakeLists.txt

$(VENV)/.demo: pyproject.toml requirements/tested.txt $(NATIVE) | $(VENV)/bin/python
	$(PIP) -e ".[examples]"
	touch $@

$(VENV)/.test: pyproject.toml requirements/tested.txt requirements/dev.txt $(NATIVE) | $(VENV)/bin/python
	$(PIP) -e ".[examples,test,torch,jax,keras,bench,studies,docs]" -r requirements/dev.txt
	touch $@

clean:
	rm -rf $(VENV) .wheel-venv dist build outputs asv_benchmarks/html asv_benchmarks/results \
	docs/reference docs/gallery
