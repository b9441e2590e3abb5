#include "serene/io/weight_order.h"

namespace serene {

std::vector<Index> transposed_places(const std::vector<Index>& shape, const std::vector<int>& order) {
  const std::size_t axes = shape.size();
  std::vector<Index> strides(axes, 1), places{0};
  for (std::size_t a = axes; a-- > 1;) strides[a - 1] = strides[a] * shape[a];
  for (const int axis : order) {
    std::vector<Index> wider;
    wider.reserve(places.size() * static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]));
    for (const Index place : places) {
      for (Index i = 0; i < shape[static_cast<std::size_t>(axis)]; ++i) {
        wider.push_back(place + i * strides[static_cast<std::size_t>(axis)]);
      }
    }
    places = std::move(wider);
  }
  return places;
}

std::vector<Index> gate_places(Index rows, Index units, const std::vector<int>& order) {
  const Index columns = units * static_cast<Index>(order.size());
  std::vector<Index> places;
  places.reserve(static_cast<std::size_t>(rows * columns));
  for (const int gate : order) {
    for (Index u = 0; u < units; ++u) {
      for (Index r = 0; r < rows; ++r) places.push_back(r * columns + gate * units + u);
    }
  }
  return places;
}

std::vector<float> values_at(const float* values, std::span<const Index> places) {
  std::vector<float> out;
  out.reserve(places.size());
  for (const Index place : places) out.push_back(values[place]);
  return out;
}

}  // namespace serene
