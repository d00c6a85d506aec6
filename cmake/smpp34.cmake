# libsmpp34 with its trace silenced: the target `smpp34`, seen by smpp/codec.c only.
#
# The library prints every field of every PDU into a global 2048-byte trace: unbounded once full, passwords in clear and
# 80 % of its time. A copy of its static archive is made in which its calls of snprintf go to smpp/codec_shim.c; nothing
# else in the program is redirected (the linker's --wrap would hook every call of every room). The copy is remade when
# the installed archive changes, so a rebuild takes a security update in. LGPL-2.1: relinking with another libsmpp34 is
# a rebuild. Without the archive or objcopy the shared library is used as it is: slower, equally correct (one thread,
# and the airlock keeps the trace within 602 bytes).
pkg_check_modules(SMPP34 REQUIRED IMPORTED_TARGET libsmpp34>=1.14)
find_file(SMPP34_ARCHIVE libsmpp34.a HINTS ${SMPP34_LIBDIR} ${SMPP34_LIBRARY_DIRS}
    PATH_SUFFIXES lib lib/${CMAKE_LIBRARY_ARCHITECTURE})
# The first security fix: before it a string without NUL is read past its end. The airlock puts a NUL there, so this is a
# second lock, not the only one.
find_program(DPKG_QUERY dpkg-query)
if(DPKG_QUERY)
    execute_process(COMMAND dpkg-query -W -f "\${Version}" libsmpp34-dev
        OUTPUT_VARIABLE smpp34_package RESULT_VARIABLE missing ERROR_QUIET)
    if(missing EQUAL 0)
        execute_process(COMMAND dpkg --compare-versions "${smpp34_package}" ge 1.14.1-3+deb12u1 RESULT_VARIABLE older)
        if(NOT older EQUAL 0)
            message(WARNING "libsmpp34-dev ${smpp34_package} lacks a security fix: install 1.14.1-3+deb12u1 or later")
        endif()
    endif()
endif()
option(SMPPBRIDGE_QUIET_SMPP34 "link libsmpp34 statically with its trace silenced" ON)

if(SMPPBRIDGE_QUIET_SMPP34 AND SMPP34_ARCHIVE AND CMAKE_OBJCOPY)
    set(quiet "${CMAKE_BINARY_DIR}/generated/libsmpp34_quiet.a")
    add_custom_command(OUTPUT "${quiet}"
        COMMAND ${CMAKE_OBJCOPY} --redefine-sym snprintf=smpp_trace_print --redefine-sym __snprintf_chk=smpp_trace_print_chk
                "${SMPP34_ARCHIVE}" "${quiet}"
        DEPENDS "${SMPP34_ARCHIVE}" COMMENT "Silencing the trace of libsmpp34" VERBATIM)
    add_custom_target(smpp34_quiet DEPENDS "${quiet}")
    add_library(smpp34 STATIC IMPORTED)
    file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/generated")
    set_target_properties(smpp34 PROPERTIES IMPORTED_LOCATION "${quiet}"
        INTERFACE_INCLUDE_DIRECTORIES "${SMPP34_INCLUDE_DIRS}" INTERFACE_COMPILE_DEFINITIONS SMPP34_QUIET)
    add_dependencies(smpp34 smpp34_quiet)
else()
    message(STATUS "libsmpp34: no archive or objcopy, using the shared library with its trace")
    add_library(smpp34 INTERFACE)
    target_link_libraries(smpp34 INTERFACE PkgConfig::SMPP34)
endif()
