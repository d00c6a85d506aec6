# Warnings are errors on gcc and clang; asserts stay in release builds (house rule: an assert marks our own bug).
add_library(flags INTERFACE)
target_compile_options(flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Werror -fno-common -fstack-protector-strong)
target_compile_definitions(flags INTERFACE _GNU_SOURCE)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -D_FORTIFY_SOURCE=2")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
if(SMPPBRIDGE_SANITIZE)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # gcc loses value ranges under sanitizers and warns of texts that fit
        target_compile_options(flags INTERFACE -Wno-format-truncation)
    endif()
    target_compile_options(flags INTERFACE -fsanitize=${SMPPBRIDGE_SANITIZE} -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(flags INTERFACE -fsanitize=${SMPPBRIDGE_SANITIZE})
endif()
if(SMPPBRIDGE_FUZZ) # the rooms must report their branches, else the fuzzer walks blind
    target_compile_options(flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
