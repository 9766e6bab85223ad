"""The only file that knows compiler flags, test sizes and test tags.

BUILD files use these macros and never the bare cc_* rules.
"""

load(
    "@rules_cc//cc:defs.bzl",
    "cc_binary",
    "cc_library",
    "cc_test",
)

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wundef",
    "-Wconversion",
    "-Wshadow",
    "-Wvla",
]

# Hidden by default: what a shared library exports is named, never inherited.
# (This also makes -fno-semantic-interposition pointless.)
_COMMON = _WARNINGS + ["-fvisibility=hidden"]

_CXX = ["-std=c++20"] + _COMMON
_C = ["-std=c11"] + _COMMON

# Hidden symbols cannot cross a .so boundary, so Bazel must never make one of
# a library by itself: everything is linked statically.
_LINKSTATIC = True

_PRIVATE = ["//visibility:private"]

# Test programs of the cross build run under qemu-user, which lacks something.
_EMULATED_TEST_DEPS = select({
    "//third_party/toolchains/aarch64:is_target": [
        "//third_party/toolchains/aarch64:qemu_madvise",
    ],
    "//conditions:default": [],
})

def zcb_library(
        name,
        srcs = [],
        hdrs = [],
        deps = [],
        visibility = None,
        testonly = False,
        copts = [],
        linkopts = [],
        **kwargs):
    """A C++20 library; one header pair or less."""
    cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = _CXX + copts,
        linkopts = linkopts,
        linkstatic = _LINKSTATIC,
        testonly = testonly,
        visibility = visibility or _PRIVATE,
        deps = deps,
        **kwargs
    )

def zcb_c_library(
        name,
        srcs = [],
        hdrs = [],
        deps = [],
        visibility = None,
        testonly = False,
        copts = [],
        linkopts = [],
        **kwargs):
    """A C11 library; its sources are .c files only."""
    cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = _C + copts,
        linkopts = linkopts,
        linkstatic = _LINKSTATIC,
        testonly = testonly,
        visibility = visibility or _PRIVATE,
        deps = deps,
        **kwargs
    )

def zcb_binary(
        name,
        srcs = [],
        deps = [],
        copts = [],
        linkopts = [],
        testonly = False,
        visibility = None,
        data = [],
        **kwargs):
    """A C++20 program."""
    cc_binary(
        name = name,
        srcs = srcs,
        copts = _CXX + copts,
        data = data,
        linkopts = linkopts,
        testonly = testonly,
        visibility = visibility or _PRIVATE,
        deps = deps,
        **kwargs
    )

def zcb_c_binary(
        name,
        srcs = [],
        deps = [],
        copts = [],
        linkopts = [],
        testonly = False,
        visibility = None,
        data = [],
        **kwargs):
    """A C11 program; its sources are .c files only."""
    cc_binary(
        name = name,
        srcs = srcs,
        copts = _C + copts,
        data = data,
        linkopts = linkopts,
        testonly = testonly,
        visibility = visibility or _PRIVATE,
        deps = deps,
        **kwargs
    )

def zcb_shared_library(
        name,
        soname,
        version_script,
        srcs = [],
        deps = [],
        copts = [],
        linkopts = [],
        testonly = False,
        visibility = None,
        **kwargs):
    """A shared library whose exports are exactly the version script's.

    It needs the C library only, and is never unmapped (nodelete): what it gave
    out lies in its mappings, and threads may end after it was closed.

    An object that nothing refers to is dropped by the linker: name the files
    that define the exports in srcs, or put alwayslink = True on their library.
    """
    cc_binary(
        name = name,
        srcs = srcs,
        additional_linker_inputs = [version_script],
        copts = _CXX + copts,
        linkopts = [
            "-Wl,-soname," + soname,
            "-Wl,--version-script=$(location %s)" % version_script,
            # Bazel names -lstdc++ and -lm itself, behind these: only what is
            # still missing then would be taken from them.
            "-static-libgcc",
            "-l:libstdc++.a",
            "-Wl,--as-needed",
            "-Wl,--no-undefined",
            "-Wl,-z,nodelete",
            "-Wl,-z,relro,-z,now",
        ] + linkopts,
        linkshared = True,
        testonly = testonly,
        visibility = visibility or _PRIVATE,
        deps = deps,
        **kwargs
    )

def zcb_test(
        name,
        srcs,
        deps = [],
        size = "small",
        tags = [],
        data = [],
        args = [],
        env = {},
        timeout = None,
        copts = [],
        linkopts = [],
        main = True,
        **kwargs):
    """A GoogleTest program; main = False brings its own main()."""
    gtest = "//third_party/gtest:gtest_main" if main else "//third_party/gtest:gtest"
    cc_test(
        name = name,
        size = size,
        timeout = timeout,
        srcs = srcs,
        args = args,
        copts = _CXX + copts,
        data = data,
        env = env,
        linkopts = linkopts,
        linkstatic = _LINKSTATIC,
        tags = tags,
        deps = deps + [gtest] + _EMULATED_TEST_DEPS,
        **kwargs
    )

def zcb_model_test(name, srcs, deps = [], tags = [], copts = [], **kwargs):
    """A Relacy model of an algorithm, as a GoogleTest program."""
    zcb_test(
        name = name,
        srcs = srcs,
        # Relacy switches stacks with longjmp, which _FORTIFY_SOURCE takes for
        # an attack, and owns operator new, as the sanitizers want to.
        copts = ["-U_FORTIFY_SOURCE"] + copts,
        tags = ["model", "noasan", "notsan"] + tags,
        deps = deps + ["//tests/model"],
        **kwargs
    )

def zcb_fuzz_target(name, srcs, deps, tags = []):
    """LLVMFuzzerTestOneInput(), with libFuzzer and with the kept corpus.

    NAME_fuzz needs --config=fuzz; NAME_corpus_test is for any compiler and runs
    everything in corpus/NAME.
    """
    zcb_library(
        name = name,
        testonly = True,
        srcs = srcs,
        deps = deps,
        alwayslink = True,
    )
    zcb_binary(
        name = name + "_fuzz",
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [":" + name],
    )
    zcb_test(
        name = name + "_corpus_test",
        srcs = ["corpus_test.cc"],
        args = ["tests/fuzz/corpus/" + name],
        data = native.glob(["corpus/" + name + "/*"]),
        main = False,
        tags = tags,
        deps = [
            ":" + name,
            ":fuzz_input",
        ],
    )

def zcb_benchmark(
        name,
        srcs,
        deps = [],
        copts = [],
        linkopts = [],
        data = [],
        tags = [],
        visibility = None):
    """A Google Benchmark program, and NAME_smoke: it still runs at all."""
    zcb_binary(
        name = name,
        srcs = srcs,
        copts = copts,
        data = data,
        linkopts = linkopts,
        tags = ["bench"] + tags,
        testonly = True,
        visibility = visibility,
        deps = deps + ["//third_party/benchmark"],
    )
    cc_test(
        name = name + "_smoke",
        size = "small",
        timeout = "moderate",
        srcs = srcs,
        args = ["--benchmark_min_time=0.01"],
        copts = _CXX + copts,
        data = data,
        linkopts = linkopts,
        linkstatic = _LINKSTATIC,
        tags = ["bench"] + tags,
        deps = deps + ["//third_party/benchmark"],
    )

def zcb_script_test(name, script, data = [], args = [], tags = [], size = "small"):
    """A test that is a script of ours; it counts as one case."""
    native.sh_test(
        name = name,
        size = size,
        srcs = [script],
        args = args,
        data = data,
        tags = tags,
    )
