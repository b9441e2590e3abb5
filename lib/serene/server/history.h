// The calls of a centre, kept in one SQLite file: header and events, never sound. Crash-safe (write-ahead log): what
// append() returned from outlives a kill of the process. Several processes may use the file at once; one object belongs
// to one thread at a time.
//
// Deleted calls are overwritten, not only unlinked (secure_delete, VACUUM, empty log). Exports and deletions are noted
// in an audit table that holds moments, counts and the SHA-256 of ids, so that one can show that a call was erased
// without keeping its name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serene/call/call_record.h"

namespace serene {

struct HistoryOptions {
  bool write = true;       // false: the file must exist and nothing is changed
  int keep_days = 30;      // older calls are purged when the file is opened for writing; 0 keeps them for ever
  std::int64_t now_s = 0;  // seconds since 1970; 0: the clock of the system
};

struct HistoryFilter {
  std::string since, until;  // day or moment in UTC, both included; empty: no bound
  std::int64_t limit = 0;    // newest first; 0: all
};

struct HistoryEntry {
  CallRecord header;  // without lines and truth; reason "dropped" for a call that never ended, "" for one that runs
  std::int64_t events = 0, duration_ms = 0;
};

struct AuditEntry {
  std::string at, action;  // "export json", "purge", "purge older than 30 days"
  std::int64_t calls = 0;
  std::vector<std::string> id_hashes;  // SHA-256
};

class History {
 public:
  // $SERENE_HISTORY, else $XDG_DATA_HOME/serene/calls.sqlite, else ~/.local/share/serene/calls.sqlite.
  static std::string default_path();

  // Makes the file (0600) and its folder (0700) when writing. Throws Error: not_found for a missing file to read, input
  // for a folder, a file of another kind, of a newer version or with another schema, or one that cannot be written.
  explicit History(const std::string& path, const HistoryOptions& options = {});
  ~History();
  History(History&&) noexcept;

  // The call starts: header and truth of the record, and its lines so far. Throws Error(input) for an id that is there
  // already or broken fields.
  void begin(const CallRecord& call);
  // The next events, in one transaction. Throws Error(not_found) for an unknown call.
  void append(const std::string& id, std::span<const std::string> lines);
  void end(const std::string& id, const std::string& reason);

  // The latest first. Throws Error(input) when the database cannot be read.
  std::vector<HistoryEntry> list(const HistoryFilter& filter = {}) const;
  // Throws Error(not_found) with the id.
  CallRecord get(const std::string& id) const;

  // Notes that these calls were handed out as `format`.
  void note_export(std::span<const std::string> ids, const std::string& format);
  // Returns how many calls were erased. An unknown id throws Error(not_found) before anything is erased.
  std::int64_t purge(std::span<const std::string> ids);
  std::int64_t purge_older_than(int days);  // by the start of the call
  std::int64_t purge_all();
  std::vector<AuditEntry> audit() const;
  std::int64_t purged_on_opening() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serene
