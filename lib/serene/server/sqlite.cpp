#include "serene/server/sqlite.h"

#include <sqlite3.h>

#include "serene/core/error.h"

namespace serene {

Sqlite::Sqlite(const std::string& path, Mode mode) : path_(path) {
  const int flags = (mode == Mode::write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  // sqlite3_open_v2 would take "file:..." as a URI on some builds; a leading "./" never is one.
  const std::string name = path.starts_with("/") ? path : "./" + path;
  if (sqlite3_open_v2(name.c_str(), &db_, flags, nullptr) != SQLITE_OK) {
    const std::string problem = db_ != nullptr ? sqlite3_errmsg(db_) : "out of memory";
    sqlite3_close(db_);
    throw Error(ErrorCode::input, printable(path_, 500), "cannot be opened: " + problem);
  }
  sqlite3_busy_timeout(db_, 10000);
  sqlite3_limit(db_, SQLITE_LIMIT_LENGTH, 64 << 20);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
}

Sqlite::~Sqlite() { sqlite3_close(db_); }

void Sqlite::fail(const std::string& doing) const {
  const int code = sqlite3_errcode(db_);
  const bool foreign = code == SQLITE_NOTADB;
  throw Error(ErrorCode::input, printable(path_, 500),
              foreign ? "is not a history of calls" : doing + ": " + printable(sqlite3_errmsg(db_), 200));
}

void Sqlite::run(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail("the database refuses");
}

std::int64_t Sqlite::number(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.number(0) : 0;
}

std::int64_t Sqlite::changes() const { return sqlite3_changes(db_); }

Statement::Statement(Sqlite& db, std::string_view sql) : db_(db) {
  if (sqlite3_prepare_v2(db.handle(), sql.data(), static_cast<int>(sql.size()), &statement_, nullptr) != SQLITE_OK) {
    db.fail("cannot be read");
  }
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int place, std::string_view text) {
  const char* bytes = text.data() != nullptr ? text.data() : "";
  if (sqlite3_bind_text64(statement_, place, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK) {
    db_.fail("a text cannot be kept");
  }
  return *this;
}

Statement& Statement::bind(int place, std::int64_t number) {
  if (sqlite3_bind_int64(statement_, place, number) != SQLITE_OK) db_.fail("a number cannot be kept");
  return *this;
}

Statement& Statement::bind_nothing(int place) {
  if (sqlite3_bind_null(statement_, place) != SQLITE_OK) db_.fail("a value cannot be kept");
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) db_.fail("the database refuses");
  return false;
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return "";
  return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_, column); }

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Transaction::~Transaction() {
  if (open_) sqlite3_exec(db_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace serene
