# The centre's words: run test check drill bench peers lock fmt messages
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Checks that need settings but no server.
DRY := CHUXIONG_ROLE=owner CHUXIONG_SEALED_ENV=1 CHUXIONG_SECRET_KEY=check CHUXIONG_REDIS_URL=unix:///nowhere \
	CHUXIONG_VAULT_KEYS=/nowhere CHUXIONG_DATABASE_URL_OWNER=postgresql://x:x@/x?host=/nowhere

.PHONY: run test check drill bench peers lock fmt messages

$(VENV)/.base: requirements/base.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

run: $(VENV)/.base
	$(BIN)/python manage.py up --demo

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(DRY) $(BIN)/mypy chuxiong ingestion supervision dashboard
	$(BIN)/lint-imports
	$(DRY) $(BIN)/python manage.py check
	$(DRY) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

# Most tests share the processors, each worker with servers of its own; those that start whole systems run after them.
test: check
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not alone and not drill"
	$(BIN)/python -m pytest -m "alone and not drill"

drill: $(VENV)/.dev
	$(BIN)/python -m pytest -m drill

bench: $(VENV)/.dev
	$(BIN)/python -m bench.$(BENCH)

# The peers of bench/linkage, with versions of their own.
peers:
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q requirements/base.in -o requirements/base.txt
	uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q requirements/dev.in -o requirements/dev.txt
	uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q requirements/peers.in -o requirements/peers.txt

messages: $(VENV)/.dev
	$(BIN)/pybabel compile -f -d locale -D django
