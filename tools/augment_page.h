// Pictures of features, and the page with players that shows examples of augmentation.
#pragma once

#include <string>
#include <vector>

#include "augment_examples.h"

namespace serene::cli {

// A frame is a column and a channel a row, the lowest at the bottom. low, high: values of the darkest and the brightest
// colour. At most 65535 frames are drawn.
std::string picture_of(const FeatureMatrix& features, double low, double high);

// What stands on the page: names of files beside it, never samples.
struct ShownExample {
  std::string name, wave_file, picture_file;
  std::vector<std::string> heard, seen;
  double seconds = 0;
  Index frames = 0, channels = 0;
};
struct ShownRecording {
  std::string path;
  std::vector<ShownExample> examples;  // the plain recording first
};

// subtitle: where the settings come from. picture: what the pictures show, such as "64 mel bands, 0 to 8000 Hz".
std::string listening_page(const std::string& subtitle, const std::string& picture,
                           const std::vector<ShownRecording>& recordings);

}  // namespace serene::cli
