#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "serene/data/corpora.h"
#include "serene/data/locate.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

struct Good {
  const char *corpus, *stem, *label, *speaker, *sex, *intensity;
};

}  // namespace

TEST_CASE("file names of the five corpora are read") {
  const Good names[] = {
      {"ravdess", "03-01-01-01-01-01-01", "neutral", "ravdess-01", "male", "normal"},
      {"ravdess", "03-01-06-02-02-02-24", "fearful", "ravdess-24", "female", "strong"},
      {"ravdess", "03-01-08-01-02-01-13", "surprised", "ravdess-13", "male", "normal"},
      {"cremad", "1001_DFA_ANG_XX", "angry", "cremad-1001", "male", ""},
      {"cremad", "1091_IEO_SAD_HI", "sad", "cremad-1091", "female", "high"},
      {"cremad", "1076_MTI_NEU_XX", "neutral", "cremad-1076", "female", ""},
      {"tess", "OAF_back_ps", "surprised", "tess-OAF", "female", ""},
      {"tess", "YAF_youth_fear", "fearful", "tess-YAF", "female", ""},
      {"tess", "OA_bite_neutral", "neutral", "tess-OAF", "female", ""},
      {"savee", "DC_sa01", "sad", "savee-DC", "male", ""},
      {"savee", "KL_su15", "surprised", "savee-KL", "male", ""},
      {"savee", "JK_n30", "neutral", "savee-JK", "male", ""},
      {"emodb", "03a01Wa", "angry", "emodb-03", "male", ""},
      {"emodb", "16b10Lb", "boredom", "emodb-16", "female", ""},
      {"emodb", "08a02Ac", "fearful", "emodb-08", "female", ""},
  };
  for (const Good& name : names) {
    CAPTURE(name.stem);
    const auto parsed = parse_file_name(name.corpus, name.stem);
    REQUIRE(parsed.has_value());
    CHECK(parsed->clip.id == name.stem);
    CHECK(parsed->clip.corpus == name.corpus);
    CHECK(parsed->clip.label == name.label);
    CHECK(parsed->clip.speaker == name.speaker);
    CHECK(parsed->clip.sex == name.sex);
    CHECK(parsed->clip.intensity == name.intensity);
    CHECK_FALSE(parsed->song);
  }
  CHECK(parse_file_name("ravdess", "03-02-04-01-01-01-05")->song);
}

TEST_CASE("file names that break the grammar are refused") {
  const std::pair<const char*, const char*> names[] = {
      {"ravdess", ""},
      {"ravdess", "03-01-01-01-01-01"},
      {"ravdess", "03-01-01-01-01-01-01-01"},
      {"ravdess", "03-01-09-01-01-01-01"},
      {"ravdess", "03-01-00-01-01-01-01"},
      {"ravdess", "03-01-01-02-01-01-01"},
      {"ravdess", "03-01-02-01-01-01-25"},
      {"ravdess", "03-01-02-01-01-01-00"},
      {"ravdess", "03-01-02-01-01-03-01"},
      {"ravdess", "03-02-08-01-01-01-01"},
      {"ravdess", "01-01-02-01-01-01-01"},
      {"ravdess", "3-1-2-1-1-1-1"},
      {"ravdess", "03-01-+2-01-01-01-01"},
      {"ravdess", "03-01-02-01-01-01-01 (1)"},
      {"cremad", "1092_DFA_ANG_XX"},
      {"cremad", "1000_DFA_ANG_XX"},
      {"cremad", "1001_DFA_ANG_HI"},
      {"cremad", "1001_DFA_ANG"},
      {"cremad", "1001_XXX_ANG_XX"},
      {"cremad", "1001_DFA_SUR_XX"},
      {"cremad", "1001_dfa_ang_xx"},
      {"cremad", "1001_DFA_ANG_XX_"},
      {"tess", "OAF_back"},
      {"tess", "OAF_back_surprise"},
      {"tess", "XAF_back_sad"},
      {"tess", "OAF__sad"},
      {"savee", "DC_sa16"},
      {"savee", "DC_n31"},
      {"savee", "DC_x01"},
      {"savee", "AB_a01"},
      {"savee", "DC_a1"},
      {"savee", "DC_a00"},
      {"emodb", "04a01Wa"},
      {"emodb", "03a03Wa"},
      {"emodb", "03a01Xa"},
      {"emodb", "03a01W"},
      {"emodb", "03a01WA"},
      {"emodb", "031 a1Wa"},
  };
  for (const auto& name : names) {
    CAPTURE(name.second);
    CHECK_FALSE(parse_file_name(name.first, name.second).has_value());
  }
  CHECK(has(error_of([] { parse_file_name("iemocap", "x"); }), "unknown corpus 'iemocap' (expected ravdess, cremad"));
}

TEST_CASE("corpus facts agree with themselves") {
  for (const CorpusInfo& info : known_corpora()) {
    CAPTURE(info.name);
    CHECK(info.labels.size() == info.label_clips.size());
    std::size_t sum = 0;
    for (const std::size_t n : info.label_clips) sum += n;
    CHECK(sum == info.clips);
    for (const std::string& label : info.labels) CHECK(canonical_label(label) == label);
  }
}

TEST_CASE("a folder becomes a manifest: nested copies, songs, other files, hidden files") {
  TempFolder folder;
  write_wav((folder / "Actor_01/03-01-03-01-01-01-01.wav"), sound(1));
  write_wav((folder / "Actor_02/03-01-05-02-01-01-02.WAV"), sound(2));
  write_wav((folder / "audio_speech_actors_01-24/Actor_01/03-01-03-01-01-01-01.wav"), sound(1));
  write_wav((folder / "Actor_01/03-02-03-01-01-01-01.wav"), sound(3));
  write_wav((folder / "Actor_01/notes.wav"), sound(4));
  write_bytes((folder / "Actor_01/readme.txt"), "not audio");
  write_bytes((folder / "Actor_01/._03-01-04-01-01-01-01.wav"), "resource fork");
  write_bytes((folder / "__MACOSX/03-01-04-01-01-01-01.wav"), "resource fork");
  const Manifest manifest = build_corpus("ravdess", folder.path());
  REQUIRE(manifest.clips.size() == 2);
  CHECK(manifest.clips[0].id == "03-01-03-01-01-01-01");
  CHECK(manifest.clips[0].path == (folder / "Actor_01/03-01-03-01-01-01-01.wav"));
  CHECK(manifest.clips[1].label == "angry");
  CHECK(manifest.left_out.at("second copy") == 1);
  CHECK(manifest.left_out.at("song") == 1);
  REQUIRE(manifest.skipped.size() == 1);
  CHECK(has(manifest.skipped[0].path, "notes.wav"));
  CHECK(manifest.labels ==
        std::vector<std::string>{"neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"});
  CHECK(build_corpus("ravdess", folder.path(), {true}).clips.size() == 3);

  CHECK(has(error_of([&] { build_corpus("cremad", folder.path()); }), "holds no clip of CREMA-D"));
  CHECK(has(error_of([&] { build_corpus("ravdess", (folder / "nowhere")); }), "not a folder"));
}

TEST_CASE("SAVEE's own folders name the speaker") {
  TempFolder folder;
  write_wav((folder / "AudioData/DC/a01.wav"), sound(1));
  write_wav((folder / "AudioData/JE/a01.wav"), sound(2));
  const Manifest manifest = build_corpus("savee", locate_corpus("savee", folder.path()));
  REQUIRE(manifest.clips.size() == 2);
  CHECK(manifest.clips[0].speaker == "savee-DC");
  CHECK(manifest.clips[1].id == "JE_a01");
}

TEST_CASE("a corpus is found under its usual names, and not finding it lists the places") {
  TempFolder folder;
  write_wav((folder / "kaggle/AudioWAV/1001_DFA_ANG_XX.wav"), sound(1));
  CHECK(locate_corpus("cremad", (folder / "kaggle")) == (folder / "kaggle/AudioWAV"));
  CHECK(locate_corpus("cremad", (folder / "kaggle/AudioWAV")) == (folder / "kaggle/AudioWAV"));
  CHECK(locate_corpus("cremad", folder.path()) == folder.path());
  const std::string text = error_of([&] { locate_corpus("ravdess", folder.path()); });
  CHECK(has(text, folder.path()));
  CHECK(has(text, "SERENE_DATA"));
  CHECK(has(error_of([&] { open_corpus("nonsense", folder.path()); }), "unknown corpus 'nonsense'"));
}

TEST_CASE("CREMA-D takes votes and sex from its tables") {
  TempFolder folder;
  write_wav((folder / "cremad/1001_DFA_ANG_XX.wav"), sound(1));
  write_bytes((folder / "cremad_meta/VideoDemographics.csv"), "\"ActorID\",\"Age\",\"Sex\"\n1001,51,\"Female\"\n");
  write_bytes((folder / "cremad_meta/tabulatedVotes.csv"),
              "\"\",\"A\",\"D\",\"F\",\"H\",\"N\",\"S\",\"fileName\"\n\"100001\",7,2,0,0,1,0,\"1001_DFA_ANG_XX\"\n"
              "\"200001\",0,0,0,9,0,0,\"1001_DFA_ANG_XX\"\n");
  const Manifest manifest = build_corpus("cremad", (folder / "cremad"));
  CHECK(manifest.clips[0].sex == "female");
  CHECK(manifest.clips[0].votes == std::map<std::string, double>{{"angry", 7}, {"disgust", 2}, {"neutral", 1}});
}

TEST_CASE("the real RAVDESS has its published counts") {
  if (real_data().empty()) {
    MESSAGE("no corpora on this machine: skipped");
    return;
  }
  const Manifest manifest = build_corpus("ravdess", locate_corpus("ravdess", real_data()));
  CHECK(manifest.clips.size() == 1440);
  CHECK(label_counts(manifest) == corpus_info("ravdess").label_clips);
  CHECK(speakers_of(manifest).size() == 24);
  CHECK(manifest.skipped.empty());
}

TEST_CASE("the real CREMA-D has its published counts") {
  if (real_data().empty() || !std::filesystem::is_directory(real_data() + "/cremad")) {
    MESSAGE("no CREMA-D on this machine: skipped");
    return;
  }
  const Manifest manifest = build_corpus("cremad", locate_corpus("cremad", real_data()));
  CHECK(manifest.clips.size() == 7442);
  CHECK(label_counts(manifest) == corpus_info("cremad").label_clips);
  std::set<std::string> men, women;
  for (const Clip& clip : manifest.clips) (clip.sex == "male" ? men : women).insert(clip.speaker);
  CHECK(men.size() == 48);
  CHECK(women.size() == 43);
  std::size_t with_votes = 0;
  for (const Clip& clip : manifest.clips) with_votes += clip.votes.empty() ? 0 : 1;
  CHECK(with_votes == 7442);
  // The table in the code says what the file says.
  for (const Clip& clip : manifest.clips) CHECK(parse_file_name("cremad", clip.id)->clip.sex == clip.sex);
}
