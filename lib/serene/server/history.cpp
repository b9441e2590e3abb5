#include "serene/server/history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "serene/core/sha256.h"
#include "serene/core/utf8.h"
#include "serene/io/file.h"
#include "serene/server/sqlite.h"

namespace serene {
namespace {

constexpr std::int64_t application_id = 0x53524e31;  // "SRN1"
constexpr std::int64_t version = 1;
constexpr std::int64_t day_s = 86400;
constexpr std::int64_t running_s = 120;  // a call without an end that was silent for longer has been dropped
constexpr std::size_t longest_line = std::size_t{1} << 16;

// The whole schema. A file whose schema differs by a letter is not ours: nothing in it can surprise.
const std::vector<std::string>& schema() {
  static const std::vector<std::string> tables = {
      "CREATE TABLE audit (number INTEGER PRIMARY KEY, at TEXT NOT NULL, action TEXT NOT NULL, calls INTEGER NOT NULL, "
      "id_hashes TEXT NOT NULL) STRICT",
      "CREATE TABLE call (id TEXT PRIMARY KEY, title TEXT NOT NULL, started_at TEXT NOT NULL, source TEXT NOT NULL, "
      "model TEXT NOT NULL, consent TEXT NOT NULL, reason TEXT, touched_s INTEGER NOT NULL, truth TEXT) STRICT",
      "CREATE TABLE event (call TEXT NOT NULL REFERENCES call (id) ON DELETE CASCADE, number INTEGER NOT NULL, "
      "line TEXT NOT NULL, PRIMARY KEY (call, number)) STRICT, WITHOUT ROWID"};
  return tables;
}

Error broken(const std::string& path, const std::string& problem) {
  return Error(ErrorCode::input, printable(path, 500), problem);
}

// Makes an empty file that only its owner can read.
void make_file(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  if (!folder.empty() && !std::filesystem::exists(folder, failed)) {
    std::filesystem::create_directories(folder, failed);
    if (failed) throw broken(path, "cannot make its folder: " + failed.message());
    ::chmod(folder.c_str(), 0700);
  }
  const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) throw broken(path, "cannot be written: " + errno_text(errno));
  ::close(file);
}

// A regular file, or none yet. Pipes and devices would hang.
void check_kind(const std::string& path, bool write) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) throw broken(path, "cannot be opened: " + errno_text(errno));
    if (write) return make_file(path);
    throw Error(ErrorCode::not_found, printable(path, 500), "there is no history of calls")
        .hint("serene call makes it; --history names another");
  }
  if (S_ISDIR(info.st_mode)) throw broken(path, "is a folder").expected("a file");
  if (!S_ISREG(info.st_mode)) throw broken(path, "is not a regular file");
}

void check_text(const std::string& text, std::size_t longest, const std::string& where) {
  if (text.size() > longest)
    throw Error(ErrorCode::input, where, "too long").got(std::to_string(text.size()) + " bytes");
  if (!is_utf8(text) || text.find('\0') != std::string::npos) throw Error(ErrorCode::input, where, "not UTF-8 text");
}

void check_header(const CallRecord& call) {
  if (!is_call_id(call.id)) {
    throw Error(ErrorCode::input, "id", "not the id of a call")
        .expected("1 to 64 of A-Z a-z 0-9 . _ -")
        .got(printable(call.id, 80));
  }
  unix_seconds(call.started_at, "call " + call.id + ": started_at");
  for (const std::string* text : {&call.title, &call.source, &call.model, &call.consent}) {
    check_text(*text, 4096, "call " + call.id);
  }
}

// t_ms of an event; 0 when it cannot be read.
std::int64_t time_of_line(const std::string& line) {
  try {
    const Json event = parse_json(line.empty() ? "{}" : line, "event");
    const auto at = event.is_object() ? event.find("t_ms") : event.end();
    return at != event.end() && at->is_number_integer() ? std::max<std::int64_t>(at->get<std::int64_t>(), 0) : 0;
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

struct History::Impl {
  std::string path;
  HistoryOptions options;
  std::unique_ptr<Sqlite> db;
  std::int64_t purged = 0;

  std::int64_t now() const {
    if (options.now_s != 0) return options.now_s;
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  // Checks before anything is changed; makes the tables of a new file.
  void open() {
    check_kind(path, options.write);
    db = std::make_unique<Sqlite>(path, options.write ? Sqlite::Mode::write : Sqlite::Mode::read);
    if (options.write && is_new()) {
      db->run("PRAGMA journal_mode = WAL");
      Transaction change(*db);
      if (is_new()) {  // the other process may have been faster
        for (const std::string& table : schema()) db->run(table);
        db->run("PRAGMA application_id = " + std::to_string(application_id) +
                "; PRAGMA user_version = " + std::to_string(version));
      }
      change.commit();
    }
    check_schema();
    if (!options.write) return db->run("PRAGMA query_only = ON");
    db->run(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA temp_store = "
        "MEMORY");
  }

  bool is_new() {
    return db->number("PRAGMA application_id") == 0 && db->number("PRAGMA user_version") == 0 &&
           db->number("SELECT count(*) FROM sqlite_schema") == 0;
  }

  void check_schema() {
    if (db->number("PRAGMA application_id") != application_id) throw broken(path, "is not a history of calls");
    const std::int64_t found = db->number("PRAGMA user_version");
    if (found != version) {
      throw broken(path, found > version ? "was made by a newer serene" : "has an unknown version")
          .expected("version " + std::to_string(version))
          .got(std::to_string(found));
    }
    Statement tables(*db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
    std::vector<std::string> sql;
    while (tables.step() && sql.size() <= schema().size()) sql.push_back(tables.text(0));
    if (sql != schema()) throw broken(path, "is not a history of calls").expected("its three tables").got("others");
  }

  void need_write() const {
    if (!options.write) throw Error(ErrorCode::internal, path, "the history is open for reading only");
  }

  std::int64_t next_number(const std::string& id) {
    Statement last(*db, "SELECT coalesce(max(number) + 1, 0) FROM event WHERE call = ?");
    return last.bind(1, id).step() ? last.number(0) : 0;
  }

  void insert_lines(const std::string& id, std::span<const std::string> lines) {
    Statement insert(*db, "INSERT INTO event (call, number, line) VALUES (?, ?, ?)");
    std::int64_t number = next_number(id);
    for (const std::string& line : lines) {
      check_text(line, longest_line, "call " + id + ": event");
      insert.bind(1, id).bind(2, number++).bind(3, line).step();
      insert.reset();
    }
  }

  void note(const std::string& action, std::span<const std::string> ids) {
    std::string hashes;
    for (const std::string& id : ids) hashes += (hashes.empty() ? "" : " ") + sha256_hex(std::string_view(id));
    Statement insert(*db, "INSERT INTO audit (at, action, calls, id_hashes) VALUES (?, ?, ?, ?)");
    insert.bind(1, utc_text(now()))
        .bind(2, action)
        .bind(3, static_cast<std::int64_t>(ids.size()))
        .bind(4, hashes)
        .step();
  }

  std::int64_t erase(const std::vector<std::string>& ids, const std::string& action) {
    if (ids.empty()) return 0;
    {
      Transaction change(*db);
      Statement remove(*db, "DELETE FROM call WHERE id = ?");
      for (const std::string& id : ids) {
        remove.bind(1, id).step();
        remove.reset();
      }
      note(action, ids);
      change.commit();
    }
    scrub();
    return static_cast<std::int64_t>(ids.size());
  }

  // Zeroes alone would leave copies that SQLite made when it moved rows between pages, and the log's. Another process
  // in the middle of reading can keep the log; then the next purge or the last process to close empties it.
  void scrub() {
    try {
      db->run("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (const Error&) {
    }
  }

  std::string reason_without_end(std::int64_t touched_s) const {
    return now() - touched_s > running_s ? "dropped" : "";
  }

  std::vector<std::string> ids_before(const std::string& moment) {
    Statement old(*db, "SELECT id FROM call WHERE started_at < ? ORDER BY id");
    old.bind(1, moment);
    std::vector<std::string> ids;
    while (old.step()) ids.push_back(old.text(0));
    return ids;
  }
};

std::string History::default_path() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  if (const std::string path = variable("SERENE_HISTORY"); !path.empty()) return path;
  if (const std::string data = variable("XDG_DATA_HOME"); data.starts_with("/")) return data + "/serene/calls.sqlite";
  const std::string home = variable("HOME");
  if (home.empty())
    throw Error(ErrorCode::usage, "history", "there is no home folder").hint("name a file: --history FILE");
  return home + "/.local/share/serene/calls.sqlite";
}

History::History(const std::string& path, const HistoryOptions& options) : impl_(std::make_unique<Impl>()) {
  if (path.empty()) throw Error(ErrorCode::usage, "history", "an empty file name");
  if (options.keep_days < 0 || options.keep_days > 36500) {
    throw Error(ErrorCode::usage, "keep days", "out of range")
        .expected("0..36500")
        .got(std::to_string(options.keep_days));
  }
  impl_->path = path, impl_->options = options;
  impl_->open();
  if (options.write && options.keep_days > 0) impl_->purged = purge_older_than(options.keep_days);
}

History::~History() = default;
History::History(History&&) noexcept = default;

void History::begin(const CallRecord& call) {
  impl_->need_write();
  check_header(call);
  Transaction change(*impl_->db);
  {
    Statement known(*impl_->db, "SELECT 1 FROM call WHERE id = ?");
    if (known.bind(1, call.id).step()) {
      throw Error(ErrorCode::input, printable(impl_->path, 500), "holds a call " + call.id + " already");
    }
  }
  Statement insert(*impl_->db,
                   "INSERT INTO call (id, title, started_at, source, model, consent, touched_s, truth) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, call.id).bind(2, call.title).bind(3, call.started_at).bind(4, call.source).bind(5, call.model);
  insert.bind(6, call.consent).bind(7, impl_->now());
  if (call.truth.is_null()) {
    insert.bind_nothing(8);
  } else {
    insert.bind(8, call.truth.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  insert.step();
  impl_->insert_lines(call.id, call.lines);
  change.commit();
}

void History::append(const std::string& id, std::span<const std::string> lines) {
  impl_->need_write();
  Transaction change(*impl_->db);
  Statement touch(*impl_->db, "UPDATE call SET touched_s = ? WHERE id = ?");
  touch.bind(1, impl_->now()).bind(2, id).step();
  if (impl_->db->changes() == 0) throw Error(ErrorCode::not_found, printable(id, 64), "no such call in the history");
  impl_->insert_lines(id, lines);
  change.commit();
}

void History::end(const std::string& id, const std::string& reason) {
  impl_->need_write();
  check_text(reason, 200, "reason");
  Statement update(*impl_->db, "UPDATE call SET reason = ?, touched_s = ? WHERE id = ?");
  update.bind(1, reason).bind(2, impl_->now()).bind(3, id).step();
  if (impl_->db->changes() == 0) throw Error(ErrorCode::not_found, printable(id, 64), "no such call in the history");
}

void History::note_export(std::span<const std::string> ids, const std::string& format) {
  impl_->need_write();
  impl_->note("export " + format, ids);
}

std::int64_t History::purge(std::span<const std::string> ids) {
  impl_->need_write();
  std::vector<std::string> unique(ids.begin(), ids.end());
  std::sort(unique.begin(), unique.end());
  unique.erase(std::unique(unique.begin(), unique.end()), unique.end());
  for (const std::string& id : unique) {
    Statement known(*impl_->db, "SELECT 1 FROM call WHERE id = ?");
    if (!known.bind(1, id).step()) {
      throw Error(ErrorCode::not_found, printable(id, 64), "no such call in the history").hint("nothing was erased");
    }
  }
  return impl_->erase(unique, "purge");
}

std::int64_t History::purge_older_than(int days) {
  impl_->need_write();
  const std::string moment = utc_text(impl_->now() - std::int64_t{days} * day_s);
  return impl_->erase(impl_->ids_before(moment), "purge older than " + std::to_string(days) + " days");
}

std::int64_t History::purge_all() {
  impl_->need_write();
  return impl_->erase(impl_->ids_before("~"), "purge all");  // '~' sorts behind every moment
}

std::int64_t History::purged_on_opening() const noexcept { return impl_->purged; }

std::vector<HistoryEntry> History::list(const HistoryFilter& filter) const {
  if (!filter.since.empty()) unix_seconds(filter.since, "since");
  if (!filter.until.empty()) unix_seconds(filter.until, "until");
  Statement calls(*impl_->db,
                  "SELECT id, title, started_at, source, model, consent, reason, touched_s, "
                  "(SELECT count(*) FROM event WHERE call = id), "
                  "(SELECT line FROM event WHERE call = id ORDER BY number DESC LIMIT 1) "
                  "FROM call WHERE started_at >= ?1 AND started_at <= ?2 ORDER BY started_at DESC, id DESC LIMIT ?3");
  // '~' sorts behind the clock: a day alone is included to its end.
  calls.bind(1, filter.since).bind(2, filter.until + "~").bind(3, filter.limit > 0 ? filter.limit : -1);
  std::vector<HistoryEntry> entries;
  while (calls.step()) {
    HistoryEntry entry;
    CallRecord& h = entry.header;
    h.id = calls.text(0), h.title = calls.text(1), h.started_at = calls.text(2), h.source = calls.text(3);
    h.model = calls.text(4), h.consent = calls.text(5);
    h.reason = calls.is_null(6) ? impl_->reason_without_end(calls.number(7)) : calls.text(6);
    entry.events = calls.number(8);
    entry.duration_ms = time_of_line(calls.text(9));
    entries.push_back(std::move(entry));
  }
  return entries;
}

CallRecord History::get(const std::string& id) const {
  // One transaction: a call that goes on, or is purged, meanwhile is seen at one moment.
  impl_->db->run("BEGIN");
  struct Rollback {
    Sqlite& db;
    ~Rollback() {
      try {
        db.run("ROLLBACK");
      } catch (const Error&) {
      }
    }
  } rollback{*impl_->db};
  Statement call(*impl_->db,
                 "SELECT title, started_at, source, model, consent, reason, touched_s, truth FROM call WHERE id = ?");
  if (!call.bind(1, id).step()) throw Error(ErrorCode::not_found, printable(id, 64), "no such call in the history");
  CallRecord record;
  record.id = id, record.title = call.text(0), record.started_at = call.text(1), record.source = call.text(2);
  record.model = call.text(3), record.consent = call.text(4);
  record.reason = call.is_null(5) ? impl_->reason_without_end(call.number(6)) : call.text(5);
  if (!call.is_null(7)) record.truth = parse_json(call.text(7), "call " + id + ": truth");
  Statement lines(*impl_->db, "SELECT line FROM event WHERE call = ? ORDER BY number");
  lines.bind(1, id);
  while (lines.step()) record.lines.push_back(lines.text(0));
  return record;
}

std::vector<AuditEntry> History::audit() const {
  Statement rows(*impl_->db, "SELECT at, action, calls, id_hashes FROM audit ORDER BY number");
  std::vector<AuditEntry> entries;
  while (rows.step()) {
    AuditEntry entry{rows.text(0), rows.text(1), rows.number(2), {}};
    const std::string hashes = rows.text(3);
    for (std::size_t at = 0; at < hashes.size(); at += 65) entry.id_hashes.push_back(hashes.substr(at, 64));
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace serene
