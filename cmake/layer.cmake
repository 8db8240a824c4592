# fog_layer(name SOURCES file... USES layer... [LIBS target...])
#
# One folder of src/, one static library. USES repeats the layer's row of the table in
# test/api/layers.txt, which a test holds every #include against.
function(fog_layer name)
    cmake_parse_arguments(L "" "" "SOURCES;USES;LIBS" ${ARGN})
    add_library(fog_${name} STATIC ${L_SOURCES})
    target_include_directories(fog_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                                  ${PROJECT_SOURCE_DIR}/src)
    list(TRANSFORM L_USES PREPEND fog_)
    target_link_libraries(fog_${name} PUBLIC ${L_USES} ${L_LIBS} PRIVATE fog_flags)
endfunction()
