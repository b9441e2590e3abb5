#include "serene/eval/bootstrap.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "predictions.h"
#include "serene/core/error.h"

using namespace serene;
using doctest::Approx;
using serene::test::crowd;

TEST_CASE("bootstrap: the same arguments give the same bits, another seed does not") {
  const auto list = crowd(12, 24, 4);
  const Interval a = bootstrap_speakers(list, 4, unweighted_average_recall);
  const Interval b = bootstrap_speakers(list, 4, unweighted_average_recall);
  CHECK(a.low == b.low);
  CHECK(a.high == b.high);
  CHECK(a.clusters == 12);
  CHECK(a.resamples == 2000);
  const Interval c = bootstrap_speakers(list, 4, unweighted_average_recall, {.seed = 1});
  CHECK(c.low != a.low);
  auto shuffled = list;
  std::reverse(shuffled.begin(), shuffled.end());
  CHECK(bootstrap_speakers(shuffled, 4, unweighted_average_recall).low == a.low);
}

TEST_CASE("bootstrap: the interval holds the estimate, which is that of all the data") {
  const auto list = crowd(12, 24, 4);
  const Interval i = bootstrap_speakers(list, 4, accuracy);
  CHECK(i.estimate == accuracy(confusion_matrix(list, 4)));
  CHECK(i.low < i.estimate);
  CHECK(i.estimate < i.high);
  const Interval narrow = bootstrap_speakers(list, 4, accuracy, {.level = 0.5});
  CHECK(narrow.low > i.low);
  CHECK(narrow.high < i.high);
}

TEST_CASE("bootstrap: 95 % intervals hold the true mean about 95 times in 100") {
  int held = 0;
  const int rounds = 400, speakers = 24;
  for (int round = 0; round < rounds; ++round) {
    Random random(3, Purpose::test, static_cast<std::uint64_t>(round));
    std::vector<double> skill(speakers);
    for (double& s : skill) s = random.uniform(0.2, 0.8);
    const Interval i = bootstrap_clusters(speakers,
                                          [&](std::span<const Index> drawn) {
                                            double sum = 0;
                                            for (const Index k : drawn) sum += skill[static_cast<std::size_t>(k)];
                                            return sum / static_cast<double>(drawn.size());
                                          },
                                          {.resamples = 400, .seed = static_cast<std::uint64_t>(round)});
    held += i.low <= 0.5 && 0.5 <= i.high ? 1 : 0;
  }
  MESSAGE("held " << held << " of " << rounds);
  CHECK(held >= 0.89 * rounds);
  CHECK(held <= 0.985 * rounds);
}

TEST_CASE("bootstrap: drawing speakers is more careful than drawing clips") {
  auto list = crowd(10, 60, 4);
  const Interval by_speaker = bootstrap_speakers(list, 4, accuracy);
  for (std::size_t i = 0; i < list.size(); ++i) list[i].speaker = std::to_string(i);
  const Interval by_clip = bootstrap_speakers(list, 4, accuracy);
  CHECK(by_speaker.high - by_speaker.low > 1.5 * (by_clip.high - by_clip.low));
}

TEST_CASE("bootstrap: one speaker has no interval") {
  const Interval i = bootstrap_speakers(crowd(1, 20, 4), 4, accuracy);
  CHECK_FALSE(i.valid());
  CHECK(i.low == i.estimate);
  CHECK(i.high == i.estimate);
}

TEST_CASE("bootstrap: paired differences") {
  const auto a = crowd(10, 40, 4);
  auto b = a;
  const Interval same = bootstrap_difference(a, b, 4, accuracy);
  CHECK(same.low == 0);
  CHECK(same.high == 0);
  // b loses a twentieth of every speaker's clips: a small difference, sure because it is paired.
  for (std::size_t i = 0; i < b.size(); i += 20) {
    b[i].logits.assign(4, 0);
    b[i].logits[static_cast<std::size_t>((b[i].truth + 1) % 4)] = 2;
  }
  const Interval better = bootstrap_difference(a, b, 4, accuracy);
  CHECK(better.low > 0);
  CHECK(better.estimate == Approx(accuracy(confusion_matrix(a, 4)) - accuracy(confusion_matrix(b, 4))));
  CHECK(bootstrap_speakers(a, 4, accuracy).low < accuracy(confusion_matrix(b, 4)));  // unpaired could not tell
  CHECK_THROWS_AS(bootstrap_difference(a, crowd(9, 40, 4), 4, accuracy), Error);
}

TEST_CASE("bootstrap: broken options are refused") {
  const auto one = [](std::span<const Index>) { return 1.0; };
  CHECK_THROWS_AS(bootstrap_clusters(0, one), Error);
  CHECK_THROWS_AS(bootstrap_clusters(2, one, {.resamples = 0}), Error);
  CHECK_THROWS_AS(bootstrap_clusters(2, one, {.level = 1}), Error);
}
