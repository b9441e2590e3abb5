// serene-keras-import FILE: the arrays of a file that Keras wrote (.h5, .weights.h5 or .keras), as safetensors on
// stdout.
//
// A process of its own because HDF5 is large and not made for hostile files. `serene import` starts it with limits on
// time and memory and without the right to write a file (tools/keras_reader.h). Nothing of the model's description is
// read: which layer a number belongs to follows from its name alone, and the one who asks decides.
#include <cstdio>
#include <cstring>
#include <new>

#include "hdf5_arrays.h"
#include "keras_zip.h"
#include "serene/core/error.h"
#include "serene/io/file.h"

namespace {

int run(const char* path) {
  using namespace serene;
  SafeTensorsWriter out(true);  // whoever reads refuses what is not finite
  {
    std::vector<std::byte> bytes = read_file(path, keras::most_bytes);
    const bool zip = bytes.size() > 4 && std::memcmp(bytes.data(), "PK\3\4", 4) == 0;
    if (zip) bytes = keras::weights_of_archive(bytes, keras::most_bytes);
    constexpr char signature[] = "\x89HDF\r\n\x1a\n";
    if (bytes.size() < 8 || std::memcmp(bytes.data(), signature, 8) != 0)
      throw Error(ErrorCode::input, "", "neither HDF5 nor a .keras archive");
    keras::add_hdf5_arrays(bytes, out);
  }
  const std::vector<std::byte> text = out.bytes();
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: serene-keras-import FILE > ARRAYS.safetensors\n");
    return 1;
  }
  try {
    return run(argv[1]);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "needs too much memory\n");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
  }
  return 2;
}
