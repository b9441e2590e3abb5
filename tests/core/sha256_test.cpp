#include "serene/core/sha256.h"

#include <doctest/doctest.h>

#include <string>

using serene::Sha256;
using serene::sha256_hex;

TEST_CASE("sha256: the examples of FIPS 180-4 and of the NIST test suite") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(
      sha256_hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopq"
                 "rstnopqrstu") == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(sha256_hex(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha256: any split of the input gives the same digest") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (std::size_t size = 0; size <= text.size(); size += 1) {
    const std::string_view part = std::string_view(text).substr(0, size);
    const std::string whole = sha256_hex(part);
    Sha256 pieces;
    for (std::size_t at = 0, step = 1; at < size; at += step, step = step * 3 % 67 + 1)
      pieces.update(part.substr(at, step));
    REQUIRE(pieces.hex() == whole);
  }
}

TEST_CASE("sha256: digest() does not end the stream") {
  Sha256 hash;
  hash.update("a");
  const std::string early = hash.hex();
  hash.update("bc");
  CHECK(early == sha256_hex("a"));
  CHECK(hash.hex() == sha256_hex("abc"));
}
