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

  void run(const std::string& sql);             // one or more statements without results
  std::int64_t number(const std::string& sql);  // the first value of the first row, 0 without one
  std::int64_t changes() const;                 // rows that the last statement changed
  sqlite3* handle() const { return db_; }       // for what this class does not wrap
  const std::string& path() const { return path_; }
  // Throws what the last call failed with.
  [[noreturn]] void fail(const std::string& doing) const;

 private:
  std::string path_;
  sqlite3* db_ = nullptr;
};

class Statement {
 public:
  // One statement, compiled. db must outlive it.
  Statement(Sqlite& db, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Values of the statement's places, which count from 1. Throw as Sqlite::run.
  Statement& bind(int place, std::string_view text);
  Statement& bind(int place, std::int64_t number);
  Statement& bind_nothing(int place);
  bool step();   // true: a row is there
  void reset();  // to be run again; bindings stay
  // Values of the row that step() found; columns count from 0.
  std::string text(int column) const;
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
  explicit Transaction(Sqlite& db) : db_(db) { db_.run("BEGIN IMMEDIATE"); }  // db must outlive it
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  // Makes it last. Throws as Sqlite::run.
  void commit() {
    db_.run("COMMIT");
    open_ = false;
  }

 private:
  Sqlite& db_;
  bool open_ = true;
};

}  // namespace serene
