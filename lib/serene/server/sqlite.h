// The little of SQLite that the history needs: a connection and prepared statements that close themselves. Every
// failure is an Error naming the file. One connection and its statements belong to one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace serene {

class Sqlite {
 public:
  enum class Mode { read, write };
  // Opens an existing file. Extensions, views with side effects and schemas with unsafe parts are off.
  Sqlite(const std::string& path, Mode mode);
  ~Sqlite();
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void run(const std::string& sql);  // one or more statements without results
  std::int64_t number(const std::string& sql);
  std::int64_t changes() const;
  sqlite3* handle() const { return db_; }
  const std::string& path() const { return path_; }
  // Throws what the last call failed with.
  [[noreturn]] void fail(const std::string& doing) const;

 private:
  std::string path_;
  sqlite3* db_ = nullptr;
};

class Statement {
 public:
  Statement(Sqlite& db, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int place, std::string_view text);  // places count from 1
  Statement& bind(int place, std::int64_t number);
  Statement& bind_nothing(int place);
  bool step();  // true: a row is there
  void reset();
  std::string text(int column) const;  // columns count from 0
  std::int64_t number(int column) const;
  bool is_null(int column) const;

 private:
  Sqlite& db_;
  sqlite3_stmt* statement_ = nullptr;
};

// Rolled back unless committed. Takes the write lock at once, so that two writers wait for each other instead of
// failing.
class Transaction {
 public:
  explicit Transaction(Sqlite& db) : db_(db) { db_.run("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    db_.run("COMMIT");
    open_ = false;
  }

 private:
  Sqlite& db_;
  bool open_ = true;
};

}  // namespace serene
