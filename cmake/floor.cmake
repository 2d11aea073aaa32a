# teak_floor(engine_store FROM engine_base engine_format engine_os [LINK targets...])
#
# One folder, one floor, one target of objects, made of every .c file in the folder that calls this. A floor sees the
# public headers, its own and those of the floors it stands on, and no others: its only include path is a directory of
# the build tree that holds links to just these. Including upwards or sideways does not compile.
function(teak_floor name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FROM;LINK")
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.c")
    if(NOT sources)
        message(FATAL_ERROR "${name}: no .c file in ${CMAKE_CURRENT_SOURCE_DIR}")
    endif()
    set(view "${PROJECT_BINARY_DIR}/floors/${name}")
    file(REMOVE_RECURSE "${view}")
    file(MAKE_DIRECTORY "${view}")
    foreach(floor IN ITEMS ${name} ${arg_FROM})
        string(REGEX MATCH "^(engine|raft)_(.*)" matched "${floor}")
        file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${CMAKE_MATCH_1}/${CMAKE_MATCH_2}" "${view}/${CMAKE_MATCH_2}" SYMBOLIC)
    endforeach()

    add_library(${name} OBJECT ${sources})
    string(REGEX REPLACE "_.*" "" library "${name}")
    target_include_directories(${name} PRIVATE "${view}" "${PROJECT_SOURCE_DIR}/${library}/include")
    target_compile_definitions(${name} PRIVATE TEAK_UNSTABLE)
    target_link_libraries(${name} PRIVATE teak_flags ${arg_LINK})
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    set_property(GLOBAL APPEND PROPERTY TEAK_FLOORS ${name})
    set_property(GLOBAL PROPERTY TEAK_FLOORS_BELOW_${name} ${arg_FROM})
endfunction()
