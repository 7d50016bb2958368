# Shorthand for ./setup, which does the work and needs no make. ARGS="..." hands arguments on.
ARGS ?=

.PHONY: help run install test test-vm fuzz check bench bench-peers uninstall

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile

run: ## install what is missing, then start the dashboard
	./setup run $(ARGS)

install: ## only install: afterwards `sudo tcptop-rtt` works from any directory
	./setup install

test: ## all the tests, on this machine's kernel (ARGS go to pytest)
	./setup test $(ARGS)

fuzz: ## feed what reads data of others with data made to break it (ARGS: seconds, targets)
	./setup fuzz $(ARGS)

test-vm: ## the tests under stock kernels, in virtual machines (ARGS go to pytest)
	./setup test-vm $(ARGS)

check: ## the static checks: ruff, mypy, import rule
	./setup check

bench: ## the benchmarks (ARGS go to them)
	./setup bench $(ARGS)

bench-peers: ## a comparison with similar tools, in a virtual machine
	./setup bench-peers

uninstall: ## remove what the targets above made, and name the packages that they installed
	./setup uninstall
