#include "serene/call/call_record.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace serene {
namespace {

constexpr std::int64_t day_s = 86400;

// Days since 1970-01-01 of a date of the Gregorian calendar, counted from 1 March of year 0 in eras of 400 years.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  const std::int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

std::int64_t days_in_month(std::int64_t year, std::int64_t month) {
  return month == 12 ? 31 : days_of(year, month + 1, 1) - days_of(year, month, 1);
}

bool digits_at(std::string_view text, std::size_t at, std::size_t count, std::int64_t& value) {
  value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

// The part of the day: "T14:05:00Z", "T14:05:00.123Z" or nothing.
bool read_clock(std::string_view text, std::int64_t& seconds) {
  seconds = 0;
  if (text.empty()) return true;
  std::int64_t h = 0, m = 0, s = 0;
  if (text.size() < 10 || text[0] != 'T' || text[3] != ':' || text[6] != ':' || text.back() != 'Z') return false;
  if (!digits_at(text, 1, 2, h) || !digits_at(text, 4, 2, m) || !digits_at(text, 7, 2, s)) return false;
  const std::string_view fraction = text.substr(9, text.size() - 10);
  const bool fine = fraction.empty() ||
                    (fraction[0] == '.' && fraction.size() > 1 && fraction.size() < 11 &&
                     std::all_of(fraction.begin() + 1, fraction.end(), [](char c) { return c >= '0' && c <= '9'; }));
  seconds = h * 3600 + m * 60 + s;
  return fine && h < 24 && m < 60 && s < 60;
}

}  // namespace

bool is_call_id(std::string_view text) noexcept {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !text.empty() && text.size() <= 64 && text.front() != '.' && std::all_of(text.begin(), text.end(), plain);
}

std::string utc_text(std::int64_t unix_s) {
  const std::int64_t now = std::clamp<std::int64_t>(unix_s, 0, days_of(9999, 12, 31) * day_s + day_s - 1);
  std::int64_t year = 1970 + now / (366 * day_s), days = now / day_s, month = 1;
  while (days_of(year + 1, 1, 1) <= days) ++year;
  while (month < 12 && days_of(year, month + 1, 1) <= days) ++month;
  const std::int64_t day = days - days_of(year, month, 1) + 1, second = now % day_s;
  std::array<char, 96> text;
  std::snprintf(text.data(), text.size(), "%04lld-%02lld-%02lldT%02lld:%02lld:%02lldZ", static_cast<long long>(year),
                static_cast<long long>(month), static_cast<long long>(day), static_cast<long long>(second / 3600),
                static_cast<long long>(second / 60 % 60), static_cast<long long>(second % 60));
  return text.data();
}

std::int64_t unix_seconds(std::string_view text, const std::string& where) {
  std::int64_t year = 0, month = 0, day = 0, seconds = 0;
  const bool date = digits_at(text, 0, 4, year) && digits_at(text, 5, 2, month) && digits_at(text, 8, 2, day) &&
                    text[4] == '-' && text[7] == '-' && year >= 1970 && month >= 1 && month <= 12 && day >= 1;
  if (!date || day > days_in_month(year, month) || !read_clock(text.substr(10), seconds)) {
    throw Error(ErrorCode::input, where, "not a day or moment in UTC")
        .expected("such as 2026-11-23 or 2026-11-23T14:05:00Z")
        .got(printable(text, 60));
  }
  return days_of(year, month, day) * day_s + seconds;
}

}  // namespace serene
