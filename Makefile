# Two commands: `make demo` and `make test`. Each builds the same environment in .venv first.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
READY := .venv/.ready

.PHONY: demo test lint benchmark benchmarks tables clean

$(READY): constraints.txt pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	@echo "installing packages into .venv (a few minutes the first time) ..."
	$(PIP) --requirement requirements.txt
	$(PIP) --no-deps ultralytics ultralytics-thop torchvision
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	$(BIN)/livepose demo --overwrite

# Training runs in a process of its own: its backward passes have crashed in one in which OpenVINO
# and the window's toolkit had been at work before.
test: $(READY)
	$(BIN)/python -m pytest --ignore=tests/training --numprocesses logical --maxprocesses 4 --dist worksteal
	$(BIN)/python -m pytest tests/training

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: $(READY)
	$(BIN)/livepose --benchmark

# All figures of docs/benchmarks.md and of the README, about eight minutes on a quiet machine.
benchmarks: $(READY) .venv/peers/.ready
	$(BIN)/python -m benchmarks

# MediaPipe wants an older NumPy and protobuf than livepose: it gets a folder of its own, which only
# the benchmarks look into. NNCF makes the INT8 baseline. Without them the table says so.
.venv/peers/.ready: $(READY)
	-$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --upgrade \
		--target .venv/peers mediapipe==0.10.21 protobuf==4.25.8 absl-py attrs flatbuffers sounddevice
	-$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt nncf
	@mkdir -p .venv/peers && touch $@

# Measures every table and plot of docs/evaluation.md again: make tables FOLDER=...
tables: $(READY)
	$(BIN)/python docs/tables.py $(FOLDER)

clean:
	rm -rf .venv demo.mp4 demo.jsonl demo.png
