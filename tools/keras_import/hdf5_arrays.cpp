#include "hdf5_arrays.h"

#include <hdf5.h>

#include <string>
#include <utility>
#include <vector>

#include "serene/core/error.h"

namespace serene::keras {
namespace {

constexpr int kMostDepth = 32;
constexpr int kMostAxes = 8;

Error broken(const std::string& where, const std::string& problem) {
  return Error(ErrorCode::input, printable(where), problem);
}

// An id of HDF5 that is closed at the end.
class Handle {
 public:
  // Throws Error(input) when the id says that opening failed.
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& where) : id_(id), close_(close) {
    if (id < 0) throw broken(where, "damaged HDF5");
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

class Reader {
 public:
  explicit Reader(SafeTensorsWriter& out) : out_(out) {}

  void read_group(hid_t group, const std::string& path, int depth) {
    if (depth > kMostDepth) throw broken(path, "groups nested too deeply");
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0) throw broken(path, "damaged HDF5");
    for (hsize_t i = 0; i < info.nlinks; ++i) {
      if (++objects_ > most_objects) throw broken("", "too many objects");
      const std::string name = name_of(group, path, i), full = path.empty() ? name : path + "/" + name;
      H5L_info_t link;
      if (H5Lget_info_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, &link, H5P_DEFAULT) < 0)
        throw broken(full, "damaged HDF5");
      if (link.type != H5L_TYPE_HARD) throw broken(full, "a link to elsewhere, which is not followed");
      const Handle object(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose, full);
      const H5I_type_t type = H5Iget_type(object);
      if (type == H5I_GROUP) read_group(object, full, depth + 1);
      else if (type == H5I_DATASET) read_dataset(object, full);
      else throw broken(full, "neither a group nor a dataset");
    }
  }

 private:
  static std::string name_of(hid_t group, const std::string& path, hsize_t i) {
    char name[1024];
    const ssize_t size = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
    if (size < 1 || size >= static_cast<ssize_t>(sizeof name)) throw broken(path, "a name that is too long");
    return name;
  }

  // Values that lie in this file, stored as they are or by a filter that HDF5 itself holds.
  static void check_storage(hid_t dataset, const std::string& path) {
    const Handle created(H5Dget_create_plist(dataset), H5Pclose, path);
    const H5D_layout_t layout = H5Pget_layout(created);
    const bool outside = layout == H5D_CONTIGUOUS && H5Pget_external_count(created) != 0;
    if (layout < 0 || layout == H5D_VIRTUAL || outside) throw broken(path, "its values lie in another file");
  }

  std::vector<Index> shape_of(hid_t dataset, const std::string& path) {
    const Handle space(H5Dget_space(dataset), H5Sclose, path);
    hsize_t sizes[kMostAxes];
    const int axes = H5Sget_simple_extent_ndims(space);
    if (axes < 0 || axes > kMostAxes || H5Sget_simple_extent_dims(space, sizes, nullptr) < 0)
      throw broken(path, "not an array of at most 8 axes");
    std::vector<Index> shape;
    hsize_t values = H5Sget_simple_extent_type(space) == H5S_NULL ? 0 : 1;
    for (int a = 0; a < axes; ++a) {
      if (sizes[a] > most_bytes) throw broken(path, "too large");
      values *= sizes[a];
      if (values > most_bytes) throw broken(path, "too large");
      shape.push_back(static_cast<Index>(sizes[a]));
    }
    values_ += values;
    if (values_ > most_bytes / sizeof(float)) throw broken(path, "the file holds too many numbers");
    return shape;
  }

  void read_dataset(hid_t dataset, const std::string& path) {
    const Handle type(H5Dget_type(dataset), H5Tclose, path);
    const H5T_class_t kind = H5Tget_class(type);
    if (kind != H5T_FLOAT && kind != H5T_INTEGER) throw broken(path, "does not hold numbers");
    check_storage(dataset, path);
    const hsize_t before = values_;
    const std::vector<Index> shape = shape_of(dataset, path);
    std::vector<float> values(static_cast<std::size_t>(values_ - before));
    if (!values.empty() && H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
      throw broken(path, "its values cannot be read");
    out_.add(path, shape, std::span<const float>(values));
  }

  SafeTensorsWriter& out_;
  std::size_t objects_ = 0;
  hsize_t values_ = 0;
};

}  // namespace

void add_hdf5_arrays(std::span<const std::byte> file, SafeTensorsWriter& out) {
  H5Eset_auto(H5E_DEFAULT, nullptr, nullptr);
  unsigned plugins = 0;
  H5PLset_loading_state(plugins);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "");
  constexpr hbool_t to_disk = 0;
  constexpr std::size_t growth = 1 << 16;
  // The library's buffer is not const, but it copies what it is given.
  void* const bytes = const_cast<std::byte*>(file.data());
  if (H5Pset_fapl_core(access, growth, to_disk) < 0 || H5Pset_file_image(access, bytes, file.size()) < 0)
    throw broken("", "HDF5 cannot take the file into memory");
  const Handle opened(H5Fopen("weights", H5F_ACC_RDONLY, access), H5Fclose, "");
  const Handle root(H5Gopen(opened, "/", H5P_DEFAULT), H5Gclose, "");
  Reader(out).read_group(root, "", 0);
}

}  // namespace serene::keras
