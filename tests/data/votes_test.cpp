// Tables of listeners' votes: both forms, and what is refused.
#include "serene/data/votes.h"

#include <doctest/doctest.h>

#include "serene/data/locate.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

VoteTable votes(const std::string& text) { return votes_of_table(parse_csv(text, "votes.csv")); }

std::string problem(const std::string& text) {
  return error_of([&] { votes(text); });
}

const std::string head = "\"\",A,D,F,H,N,S,fileName,agreement\n";

}  // namespace

TEST_CASE("votes: CREMA-D's table, of which the voice alone counts") {
  const VoteTable table = votes(head +
                                "100001,7,2,0,0,1,0,one,0.7\n100002,0,0,0,0,0,0,none,0\n"
                                "200001,0,0,0,9,0,0,one,0.7\n300001,0,0,0,0,9,0,one,0.7\n");
  REQUIRE(table.size() == 1);
  CHECK(table.at("one") == Votes{{"angry", 7}, {"disgust", 2}, {"neutral", 1}});
}

TEST_CASE("votes: a table by words takes shares and other spellings") {
  const VoteTable table = votes("ID,Anger,calm,sad,comment\nx,0.25,0.5,0.25,\ny,0,0,3,loud\n");
  CHECK(table.at("x") == Votes{{"angry", 0.25}, {"calm", 0.5}, {"sad", 0.25}});
  CHECK(table.at("y") == Votes{{"sad", 3}});
}

TEST_CASE("votes: broken tables name file, line and reason") {
  CHECK(has(problem("A,D,F,H,N,S\n1,1,1,1,1,1\n"), "votes.csv:1: column is missing"));
  CHECK(has(problem("fileName,A,D,F,H,N\nx,1,1,1,1,1\n"), "expected s"));
  CHECK(has(problem("fileName,zeal,joyless\nx,1,1\n"), "votes.csv:1: column is missing"));
  CHECK(has(problem("fileName,anger,angry\nx,1,1\n"), "two columns of votes for angry"));
  CHECK(has(problem("fileName,sad\nx,1\nx,2\n"), "votes.csv:3: clip 'x' comes twice"));
  for (const char* value : {"-1", "", "many", "nan", "inf", "1e7", "0x10", "1,5", "+1", " 1"}) {
    CAPTURE(value);
    CHECK(has(problem(std::string("fileName,sad\ny,1\nx,\"") + value + "\"\n"),
              "votes.csv:3: column 'sad' is not a number of votes"));
  }
  CHECK_FALSE(problem("").empty());
  CHECK_FALSE(problem(head + "100001,1,1\n").empty());
  CHECK(votes(head).empty());
  CHECK(error_of([] { read_votes("no-such-votes.csv"); }).find("no-such-votes.csv") == 0);
}

TEST_CASE("votes: clips are found by id, in a merged manifest too") {
  Manifest manifest;
  manifest.clips.resize(3);
  manifest.clips[0].id = "a", manifest.clips[1].id = "cremad/b", manifest.clips[2].id = "c";
  manifest.clips[2].votes = {{"sad", 1}};
  CHECK(add_votes(manifest, {{"a", {{"angry", 2}}}, {"b", {{"happy", 1}}}, {"d", {{"sad", 1}}}}) == 2);
  CHECK(manifest.clips[0].votes == Votes{{"angry", 2}});
  CHECK(manifest.clips[1].votes == Votes{{"happy", 1}});
  CHECK(manifest.clips[2].votes == Votes{{"sad", 1}});
}
