# Flags of every target: teak_flags. Nothing here reaches whoever links libteak.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

add_library(teak_flags INTERFACE)
# The values a file gives them that defines them as well, for whoever builds it another way.
target_compile_definitions(teak_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=> XXH_INLINE_ALL
    $<$<BOOL:${TEAK_DEBUG}>:TEAK_DEBUG>)
target_compile_options(teak_flags INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wcast-align
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
    $<$<BOOL:${TEAK_WERROR}>:-Werror>
    # A failed CHECK prints engine/..., on every machine the same.
    -fmacro-prefix-map=${PROJECT_BINARY_DIR}/floors/=
    -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)

if(TEAK_SANITIZE)
    set(sanitize -fsanitize=${TEAK_SANITIZE} -fno-sanitize-recover=all)
    target_compile_options(teak_flags INTERFACE ${sanitize} -fno-omit-frame-pointer)
    target_link_options(teak_flags INTERFACE ${sanitize})
endif()
if(TEAK_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "TEAK_FUZZ needs clang: cmake --preset fuzz")
    endif()
    target_compile_options(teak_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
