# The face of the build: Meson and Ninja do the work.
B ?= build

.PHONY: all setup run test
all: $(B)/build.ninja
	ninja -C $(B)

$(B)/build.ninja:
	meson setup $(B)
