# Thin aliases: `make demo` is `./dev demo`. Everything is said in ./dev.
.PHONY: demo up down test check lint format chaos sam backup doctor lock clean
demo up down test check lint format chaos sam backup doctor lock clean:
	@./dev $@
