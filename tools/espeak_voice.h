// A synthetic voice: espeak-ng as a process of its own, started without a shell, its WAV read from a pipe.
#pragma once

#include <string>

#include "serene/call/simulator.h"

namespace serene::cli {

struct EspeakVoice {
  std::string name = "en-us";  // as in espeak-ng -v
  int pitch = 50;              // 0 to 99
  int words_per_minute = 165;
  int amplitude = 100;  // 0 to 200
};

// How the voice sounds in an emotion (a word of emotion_vocabulary(), or "" for plain speech): angry is louder, higher
// and faster, sad slower, lower and softer, and so on. A caricature for demonstrations; no model was trained on it.
EspeakVoice voice_in_emotion(const std::string& name, const std::string& emotion);

// The text spoken. Throws Error(not_found) with a hint when espeak-ng is not installed, Error(input) when it does not
// know the voice, fails, or has not finished after 10 s.
SpokenClip speak(const EspeakVoice& voice, const std::string& text);

}  // namespace serene::cli
