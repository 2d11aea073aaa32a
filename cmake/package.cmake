# What goes beside library and command, and the packages made of all of it: `cpack -G DEB` makes libteak0, libteak-dev
# and teak, `cpack -G TGZ` an archive. What is installed belongs to one of the components runtime, development, command.
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT runtime)
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/docs" COMPONENT development FILES_MATCHING PATTERN "*.md")
install(DIRECTORY examples/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples" COMPONENT development
    FILES_MATCHING PATTERN "*.c" PATTERN "*.h")

set(CPACK_PACKAGE_NAME teak)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_VENDOR "Teak")
set(CPACK_PACKAGE_CONTACT "The authors of Teak <teak@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_RESOURCE_FILE_README "${PROJECT_SOURCE_DIR}/README.md")
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime development)
if(TEAK_TOOLS)
    list(APPEND CPACK_COMPONENTS_ALL command)
endif()
# A package installs below /usr whatever the prefix of the build; multiarch folders are Debian's own wish.
set(CPACK_PACKAGING_INSTALL_PREFIX "/usr")

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}/engine;${PROJECT_BINARY_DIR}/raft")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME "libteak${PROJECT_VERSION_MAJOR}")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libteak-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libteak${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION}), liburing-dev (>= 2.3)")
set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME teak)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SECTION database)
string(CONCAT about "A store of logs under Raft: atomic batches, group commit through io_uring,\n"
    "recovery that tells a torn tail from a rotten one.")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "Durable log for Raft: the library\n${about}")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Durable log for Raft: headers and static library\n${about}")
set(CPACK_COMPONENT_COMMAND_DESCRIPTION "Durable log for Raft: the command\n${about}")
include(CPack)
