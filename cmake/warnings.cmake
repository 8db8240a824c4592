# What every object of ours is compiled with. Warnings are errors where FOG_WERROR is set (CI).
option(FOG_WERROR "treat warnings as errors" OFF)

add_library(fog_flags INTERFACE)
target_compile_options(fog_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef -Wwrite-strings -Wcast-qual
    -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference -Wdouble-promotion
    -Wpointer-arith -Wredundant-decls -fvisibility=hidden)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(fog_flags INTERFACE
        -Warith-conversion -Walloca -Wcast-align=strict -Wduplicated-cond -Wduplicated-branches
        -Wlogical-op)
endif()
if(FOG_WERROR)
    target_compile_options(fog_flags INTERFACE -Werror)
endif()
if(FOG_SANITIZE)
    target_compile_options(fog_flags INTERFACE
        -fsanitize=${FOG_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(fog_flags INTERFACE -fsanitize=${FOG_SANITIZE})
endif()
