#!/bin/sh
# A compiler launcher for projects that take serene in as a part: ccache, asked as by serene's own build, so that what
# was compiled there is not compiled again. ccache tells commands apart by the object's name after -MT, which in a part
# has folders in front ("_deps/serene-build/lib/CMakeFiles/..."). Ninja does not read that name.
last=
for word; do
  shift
  case $last,$word in
    -MT,*/lib/CMakeFiles/serene_*) word=lib/CMakeFiles/${word#*/lib/CMakeFiles/} ;;
  esac
  set -- "$@" "$word"
  last=$word
done
exec ccache "$@"
