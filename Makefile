# Two commands: `make demo` and `make test`. Each builds the same environment in .venv first.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
READY := .venv/.ready

.PHONY: demo test lint benchmark clean

$(READY): constraints.txt pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	@echo "installing packages into .venv (a few minutes the first time) ..."
	$(PIP) --requirement requirements.txt
	$(PIP) --no-deps ultralytics ultralytics-thop torchvision
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	$(BIN)/livepose demo

# Training runs in a process of its own: its backward passes have crashed in one in which OpenVINO
# and the window's toolkit had been at work before.
test: $(READY)
	$(BIN)/python -m pytest --ignore=tests/training
	$(BIN)/python -m pytest tests/training

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: $(READY)
	$(BIN)/livepose --benchmark

clean:
	rm -rf .venv demo.mp4 demo.jsonl demo.png
