#include <doctest/doctest.h>

#include <set>

#include "serene/data/csv.h"
#include "serene/data/manifest.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

Manifest read(const TempFolder& folder, const std::string& name, const std::string& text,
              const std::vector<std::string>& labels = {}) {
  write_bytes((folder / name), text);
  return read_manifest((folder / name), labels);
}

}  // namespace

TEST_CASE("JSONL manifests: own form, written and read back") {
  TempFolder folder;
  write_wav((folder / "clips/a.wav"), sound(1));
  const Manifest manifest = read(folder, "mine.jsonl",
                                 "{\"path\": \"clips/a.wav\", \"label\": \"Anger\", \"speaker\": 7, \"sex\": \"F\"}\n\n"
                                 "{\"audio\": \"clips/b.wav\", \"emotion\": \"zeal\", \"votes\": {\"ANG\": 3}}\r\n");
  REQUIRE(manifest.clips.size() == 2);
  CHECK(manifest.name == "mine");
  CHECK(manifest.clips[0].id == "a");
  CHECK(manifest.clips[0].path == (folder / "clips/a.wav"));
  CHECK(manifest.clips[0].label == "angry");
  CHECK(manifest.clips[0].speaker == "7");
  CHECK(manifest.clips[0].sex == "female");
  CHECK(manifest.clips[0].corpus == "mine");
  CHECK(manifest.clips[1].votes.at("angry") == 3);
  CHECK(manifest.labels == std::vector<std::string>{"angry", "zeal"});

  write_manifest(manifest, (folder / "again.jsonl"));
  Manifest again = read_manifest((folder / "again.jsonl"));
  CHECK(again.clips == manifest.clips);
  CHECK(again.labels == manifest.labels);
}

TEST_CASE("EmoBox's JSONL: fields, label spellings, paths from a folder above, speakers from the name") {
  TempFolder folder;
  write_wav((folder / "downloads/cremad/AudioWAV/1052_WSI_ANG_XX.wav"), sound(1));
  const Manifest manifest = read(folder, "data/cremad/fold_1/test.jsonl",
                                 "{\"key\": \"cremad-1052-WSI-ANG-XX\", \"dataset\": \"cremad\", \"wav\": "
                                 "\"downloads/cremad/AudioWAV/1052_WSI_ANG_XX.wav\", \"type\": \"raw\", "
                                 "\"sample_rate\": 16000, \"num_frame\": 36837.0, "
                                 "\"task\": \"category\", \"length\": 2.3023125, \"emo\": \"ANG\", \"channel\": 1}\n");
  REQUIRE(manifest.clips.size() == 1);
  CHECK(manifest.clips[0].id == "cremad-1052-WSI-ANG-XX");
  CHECK(manifest.clips[0].label == "angry");
  CHECK(manifest.clips[0].speaker == "cremad-1052");
  CHECK(manifest.clips[0].sex == "female");
  CHECK(std::filesystem::exists(manifest.clips[0].path));
}

TEST_CASE("CSV manifests: quotes, aliases, byte order mark, labels in the given order") {
  TempFolder folder;
  const Manifest manifest =
      read(folder, "m.csv",
           "\xEF\xBB\xBF"
           "File,Emo,spk,ignored\r\n\"a, \"\"1\"\".wav\",sad,s1,x\r\n\r\nb.wav,HAP,s2,\"two\nlines\"\r\nc.wav,sad,s2,",
           {"happy", "sad", "angry"});
  REQUIRE(manifest.clips.size() == 3);
  CHECK(manifest.clips[0].id == "a, \"1\"");
  CHECK(manifest.clips[1].label == "happy");
  CHECK(manifest.labels == std::vector<std::string>{"happy", "sad", "angry"});
  CHECK(label_counts(manifest) == std::vector<std::size_t>{1, 2, 0});
}

TEST_CASE("equal stems in different folders get ids of their own") {
  TempFolder folder;
  const Manifest manifest = read(folder, "m.csv", "path,label\nx/1.wav,sad\ny/1.wav,sad\n");
  CHECK(manifest.clips[0].id == "1");
  CHECK(manifest.clips[1].id == "y/1.wav");
}

TEST_CASE("broken manifests are refused with file, line and reason") {
  TempFolder folder;
  const auto fails = [&](const std::string& name, const std::string& text, const std::string& line,
                         const std::string& reason) {
    CAPTURE(text.substr(0, 80));
    const std::string message = error_of([&] { read(folder, name, text, {"angry", "sad"}); });
    CHECK_MESSAGE(has(message, name + line), message);
    CHECK_MESSAGE(has(message, reason), message);
    CHECK(message.size() < 2100);
  };
  fails("a.jsonl", "{\"path\":\"a.wav\",\"label\":\"sad\"}\n{\"path\":\"b.wav\",\"label\":\"glad\"}\n", ":2",
        "unknown label 'glad' (expected angry, sad)");
  fails("a.jsonl", "{\"path\":\"a.wav\"}\n", ":1", "no label");
  fails("a.jsonl", "{\"label\":\"sad\"}\n", ":1", "no path");
  fails("a.jsonl", "{\"path\":[1],\"label\":\"sad\"}\n", ":1", "wrong type");
  fails("a.jsonl", "[1, 2]\n", ":1", "not a JSON object");
  fails("a.jsonl", "{\"path\":\"a.wav\",\n", ":1", "");
  fails("a.jsonl",
        "{\"id\":\"x\",\"path\":\"a.wav\",\"label\":\"sad\"}\n{\"id\":\"x\",\"path\":\"b.wav\",\"label\":\"sad\"}\n",
        ":2", "id 'x' stands twice");
  fails("a.jsonl", "{\"path\":\"a.wav\",\"label\":\"sad\",\"votes\":{\"sad\":-1}}\n", ":1", "vote");
  fails("a.jsonl", std::string("{\"path\":\"a\0.wav\",\"label\":\"sad\"}\n", 32), ":1", "NUL");
  fails("a.jsonl", "{\"path\":\"a\\u0000.wav\",\"label\":\"sad\"}\n", ":1", "NUL");
  fails("a.jsonl", "{\"path\":\"\xff\xfe.wav\",\"label\":\"sad\"}\n", ":1", "UTF-8");
  fails("a.jsonl", "{\"path\":\"" + std::string(2 << 20, 'x') + "\",\"label\":\"sad\"}\n", ":1", "longer than 1 MiB");
  fails("a.jsonl", "{\"path\":\"" + std::string(5000, 'x') + "\",\"label\":\"sad\"}\n", ":1", "4096");
  fails("a.jsonl", std::string(100000, '[') + "\n", ":1", "");
  fails("a.jsonl", "\n \n", "", "no clip");
  fails("a.csv", "", "", "empty");
  fails("a.csv", "path,label\n", "", "no clip");
  fails("a.csv", "path,colour\na.wav,sad\n", ":1", "column is missing (expected label|emotion|emo");
  fails("a.csv", "path,label\na.wav\n", ":2", "wrong number of fields");
  fails("a.csv", "path,label\na.wav,\"sad\n", ":2", "never closed");
  fails("a.csv", "path,label\na.wav,\"sad\"x\n", ":2", "after a closing quote");
  fails("a.csv", "path,label\na.wav,sa\"d\n", ":2", "quote inside");
  fails("a.csv", "path,label,path\na.wav,sad,b.wav\n", ":1", "stands twice");
  fails("a.csv", std::string("path,label\na\0.wav,sad\n", 22), ":2", "NUL");
  fails("a.csv", "path,label\n\xc3(.wav,sad\n", ":2", "UTF-8");
  fails("a.csv", "path,label\n" + std::string(2 << 20, 'x') + ",sad\n", ":2", "longer than 1 MiB");
  CHECK(has(error_of([&] { read_manifest((folder / "none.jsonl")); }), "none.jsonl"));
}

TEST_CASE("merging keeps shared labels, counts the rest and keeps ids apart") {
  TempFolder folder;
  const Manifest parts[] = {read(folder, "one.csv", "path,label\na.wav,sad\nb.wav,calm\n"),
                            read(folder, "two.csv", "path,label\na.wav,sad\nc.wav,disgust\n")};
  const Manifest shared = merge(parts, true);
  CHECK(shared.labels == std::vector<std::string>{"sad"});
  REQUIRE(shared.clips.size() == 2);
  CHECK(shared.clips[0].id == "one/a");
  CHECK(shared.clips[1].id == "two/a");
  CHECK(shared.left_out.at("label calm of one alone") == 1);
  const Manifest all = merge(parts, false);
  CHECK(all.labels == std::vector<std::string>{"disgust", "sad", "calm"});
  CHECK(all.clips.size() == 4);
  const Manifest strange[] = {parts[0], read(folder, "three.csv", "path,label\nz.wav,zeal\n")};
  CHECK(has(error_of([&] { merge(strange, true); }), "share no label"));
}
