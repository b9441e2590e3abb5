// Tells the emotion of audio files: the shortest program that does something with serene.
//
//   recognise_file MODEL.safetensors FILE...
#include <serene/serene.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: recognise_file MODEL.safetensors FILE...\n");
    return 1;
  }
  try {
    // Opened once; const, so any number of threads may use it at the same time.
    const serene::Recognizer recognizer = serene::Recognizer::open(argv[1]);
    for (int i = 2; i < argc; ++i) {
      const serene::Recognition r = recognizer.recognize_file(argv[i]);  // WAV, FLAC, Ogg, MP3, at any rate
      const auto best = static_cast<std::size_t>(r.label);
      std::printf("%s: %s%s, %.1f %%\n", argv[i], r.uncertain ? "uncertain, perhaps " : "",
                  recognizer.labels()[best].c_str(), 100 * r.probabilities[best]);
    }
  } catch (const serene::Error& e) {  // every error is one line that names the file and the reason
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
  return 0;
}
