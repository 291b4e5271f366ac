#include "lab/store/store.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "lab/error.h"
#include "lab/store/damage.h"
#include "lab/store/sqlite.h"

namespace norma::lab {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "study.sqlite";
constexpr const char* kSchema = R"(
CREATE TABLE study (
  id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, file_name TEXT NOT NULL, file_text TEXT NOT NULL,
  file_folder TEXT NOT NULL, seeds INTEGER NOT NULL, identity TEXT NOT NULL, data TEXT NOT NULL,
  code_version TEXT NOT NULL, started TEXT NOT NULL, checksum TEXT NOT NULL) STRICT;
CREATE TABLE session (
  id INTEGER PRIMARY KEY, started TEXT NOT NULL, last TEXT NOT NULL, seconds REAL NOT NULL, workers INTEGER NOT NULL,
  command TEXT NOT NULL, machine TEXT NOT NULL, versions TEXT NOT NULL, checksum TEXT NOT NULL) STRICT;
CREATE TABLE trial (
  key TEXT PRIMARY KEY, spec TEXT NOT NULL, status TEXT NOT NULL, result TEXT NOT NULL, seconds REAL,
  finished TEXT NOT NULL, session INTEGER NOT NULL REFERENCES session (id), checksum TEXT NOT NULL) STRICT;
)";

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

nlohmann::json object(const char* what, const std::string& text) {
  nlohmann::json parsed = nlohmann::json::parse(text);
  if (!parsed.is_object()) throw std::runtime_error(fmt::format("'{}': expected an object, got {}", what, text));
  return parsed;
}

void check_identity(const nlohmann::json& identity) {
  if (!identity.contains("name") || !identity.at("name").is_string()) {
    throw std::runtime_error("'identity': expected a name");
  }
}

// Of attach_all_data(), what results are computed with.
void check_data(const nlohmann::json& data) {
  const auto is_size = [](const nlohmann::json& value) { return value.is_number_integer() && value > 0; };
  const nlohmann::json& parts = data.at("parts");
  if (!parts.is_array() || parts.empty()) throw std::runtime_error("'data': expected a list of parts");
  for (const nlohmann::json& part : parts) {
    const nlohmann::json& shape = part.at("shape");
    const bool three = shape.is_array() && shape.size() == 3 && std::all_of(shape.begin(), shape.end(), is_size);
    if (!three || !is_size(part.at("classes")) || !part.at("checksum").is_string()) {
      throw std::runtime_error("'data': expected a shape of three sizes, a number of classes and a checksum");
    }
  }
}

void check_words(const char* what, const nlohmann::json& versions) {
  for (const auto& [key, value] : versions.items()) {
    if ((key == "isa" || key == "blas") && !value.is_string()) {
      throw std::runtime_error(fmt::format("'{}': expected words for '{}'", what, key));
    }
  }
}

// All columns of a study's row.
Statement& bind_study(Statement& statement, const StudyRecord& study) {
  statement.bind(study.identity.at("name").get<std::string>()).bind(study.file.name).bind(study.file.text);
  statement.bind(study.file.folder).bind(study.seeds).bind(study.identity.dump()).bind(study.data.dump());
  return statement.bind(study.code_version).bind(study.started).bind_checksum();
}

// All columns of a session's row.
Statement& bind_session(Statement& statement, const Session& session) {
  statement.bind(session.started).bind(session.last).bind(session.seconds).bind(session.workers);
  return statement.bind(session.command).bind(session.machine.dump()).bind(session.versions.dump()).bind_checksum();
}

// A trial's row as it must be: its own checksum, and the key that its spec has.
void check_trial(const Statement& row, const std::string& path, const std::string& code_version) {
  constexpr int kKey = 0, kSpec = 1, kSession = 6, kChecksum = 7, kRow = 8;
  std::string what;
  if (!row.sound(kChecksum)) {
    what = "the row does not match its checksum";
  } else if (trial_key(nlohmann::json::parse(row.text(kSpec)), code_version) != row.text(kKey)) {
    what = "the key is not that of the trial it names";
  }
  if (what.empty()) return;
  throw InputError(
      fmt::format("{}: damaged: trial {} (row {}, of session {}): {}. To have it trained again, take it out:\n"
                  "  sqlite3 {} 'DELETE FROM trial WHERE rowid = {}'\n"
                  "and start the study again; or choose another folder with --out",
                  path, row.text(kKey), row.integer(kRow), row.integer(kSession), what, path, row.integer(kRow)));
}

void create(const std::string& folder, const StudyRecord& study) {
  const std::string making = folder + "/study.sqlite.new";
  // Left over from a kill: it never was a store.
  fs::remove(making);
  fs::remove(making + "-journal");
  {
    Connection connection(making, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    connection.run("PRAGMA synchronous = FULL");
    connection.run("BEGIN");
    connection.run(
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kStoreApplication, kStoreVersion).c_str());
    connection.run(kSchema);
    Statement insert(connection, "INSERT INTO study VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    bind_study(insert, study).step();
    connection.run("COMMIT");
  }
  fs::rename(making, folder + "/" + kFile);
}

// What differs first, for a message: "seeds (10 there, 20 here)".
std::string first_difference(const nlohmann::json& there, const nlohmann::json& here) {
  for (const auto& [key, value] : here.items()) {
    if (!there.contains(key) || there.at(key) != value) {
      const std::string a = there.contains(key) ? there.at(key).dump() : "nothing";
      const std::string b = value.dump();
      if (a.size() + b.size() > 120) return fmt::format("'{}'", key);
      return fmt::format("'{}' ({} there, {} here)", key, a, b);
    }
  }
  return "its keys";
}

void refuse_other(const std::string& folder, const StudyRecord& there, const StudyRecord& here) {
  if (there.identity != here.identity) {
    throw InputError(fmt::format("{} holds another study, '{}': they differ in {}; choose another folder with --out",
                                 folder, there.identity.value("name", ""),
                                 first_difference(there.identity, here.identity)));
  }
  if (there.code_version != here.code_version) {
    throw InputError(
        fmt::format("{} holds trials of norma {}, this is {}: they cannot be mixed; choose another folder "
                    "with --out ('norma report {}' still reads it)",
                    folder, there.code_version, here.code_version, folder));
  }
}

// As a file: URI (https://www.sqlite.org/uri.html) that promises that nobody writes to the file: only so is a store in
// WAL mode read where nothing may be written beside it and nothing lies there.
std::string immutable_uri(const std::string& path) {
  std::string uri = "file://";
  for (const char c : fs::absolute(path).string()) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("-_./", c) != nullptr;
    uri += plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return uri + "?immutable=1";
}

std::unique_ptr<Connection> connect(const std::string& folder, const std::string& path) {
  if (access(path.c_str(), W_OK) == 0 && access(folder.c_str(), W_OK) == 0) {
    return std::make_unique<Connection>(path, SQLITE_OPEN_READWRITE);
  }
  if (access(path.c_str(), R_OK) != 0)
    throw InputError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  // A study is running there or was killed: what it left beside the file is read too.
  if (fs::exists(path + "-shm")) return std::make_unique<Connection>(path, SQLITE_OPEN_READONLY);
  if (fs::exists(path + "-wal") || fs::exists(path + "-journal")) {
    throw InputError(fmt::format(
        "{}: a study was killed there, and the folder may not be written: copy it and read the copy", path));
  }
  return std::make_unique<Connection>(immutable_uri(path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

}  // namespace

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

Store::Store(std::unique_ptr<Connection> connection, std::string path)
    : connection_(std::move(connection)), path_(std::move(path)) {}
Store::Store(Store&&) noexcept = default;
Store::~Store() = default;

Store Store::open(const std::string& folder) {
  const std::string path = folder + "/" + kFile;
  if (!fs::is_directory(folder)) throw InputError(fmt::format("{}: no such folder", folder));
  if (!fs::exists(path)) throw InputError(fmt::format("{}: holds no study (no {} in it)", folder, kFile));
  check_header(path);
  return reading(path, [&] {
    Store store(connect(folder, path), path);
    Statement check(*store.connection_, "PRAGMA integrity_check(1)");
    if (!check.step() || check.text(0) != "ok") {
      throw damaged(path, fmt::format("its contents do not hold together (SQLite: {})", check.text(0)));
    }
    store.read_study();
    return store;
  });
}

void Store::check(const std::string& folder, const StudyRecord& study) {
  if (fs::exists(fs::path(folder) / kFile)) refuse_other(folder, open(folder).study_, study);
}

Store Store::open_or_create(const std::string& folder, const StudyRecord& study) {
  const std::string path = folder + "/" + kFile;
  try {
    if (!fs::exists(path)) create(folder, study);
    Store store = open(folder);
    refuse_other(folder, store.study_, study);
    store.connection_->run("PRAGMA journal_mode = WAL");
    store.connection_->run("PRAGMA synchronous = FULL");
    return store;
  } catch (const SqliteError& error) {
    rethrow(path, error);
  } catch (const fs::filesystem_error& error) {
    throw InputError(fmt::format("{}: {}", folder, error.code().message()));
  }
}

void Store::read_study() {
  Statement select(*connection_,
                   "SELECT name, file_name, file_text, file_folder, seeds, identity, data, code_version, started, "
                   "checksum FROM study");
  if (!select.step()) throw damaged(path_, "it names no study");
  if (!select.sound(9)) throw damaged(path_, "the study's row does not match its checksum");
  study_.file = {select.text(1), select.text(2), select.text(3)};
  study_.seeds = select.integer(4);
  if (study_.seeds < 0 || study_.seeds > 1000) {
    throw std::runtime_error(fmt::format("'seeds': expected 0 to 1000, got {}", study_.seeds));
  }
  study_.identity = object("identity", select.text(5));
  check_identity(study_.identity);
  study_.data = object("data", select.text(6));
  check_data(study_.data);
  study_.code_version = select.text(7);
  study_.started = select.text(8);
}

std::vector<Session> Store::sessions() const {
  return reading(path_, [&] {
    std::vector<Session> found;
    Statement select(*connection_,
                     "SELECT started, last, seconds, workers, command, machine, versions, checksum, id FROM session "
                     "ORDER BY id");
    while (select.step()) {
      if (!select.sound(7)) {
        throw damaged(path_, fmt::format("the row of session {} does not match its checksum", select.integer(8)));
      }
      Session session;
      session.started = select.text(0);
      session.last = select.text(1);
      session.seconds = select.real(2);
      session.workers = select.integer(3);
      session.command = select.text(4);
      session.machine = object("machine", select.text(5));
      session.versions = object("versions", select.text(6));
      check_words("versions", session.versions);
      found.push_back(std::move(session));
    }
    return found;
  });
}

std::map<std::string, TrialResult> Store::trials() const {
  return reading(path_, [&] {
    std::map<std::string, TrialResult> found;
    Statement select(*connection_,
                     "SELECT key, spec, status, result, seconds, finished, session, checksum, rowid FROM trial");
    while (select.step()) {
      check_trial(select, path_, study_.code_version);
      found[select.text(0)] = trial_result_from_json(nlohmann::json::parse(select.text(3)));
    }
    return found;
  });
}

void Store::set_file(const StudyFile& file) try {
  StudyRecord study = study_;
  study.file = file;
  Statement update(*connection_,
                   "UPDATE study SET name = ?, file_name = ?, file_text = ?, file_folder = ?, seeds = ?, identity = ?, "
                   "data = ?, code_version = ?, started = ?, checksum = ?");
  bind_study(update, study).step();
  study_ = study;
} catch (const SqliteError& error) {
  rethrow(path_, error);
}

void Store::begin_session(const Session& session) try {
  session_ = session;
  session_.last = session.started;
  session_.seconds = 0;
  Statement insert(*connection_,
                   "INSERT INTO session (started, last, seconds, workers, command, machine, versions, checksum) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  bind_session(insert, session_).step();
  session_id_ = connection_->last_row();
  session_started_ = now();
} catch (const SqliteError& error) {
  rethrow(path_, error);
}

void Store::set_versions(const nlohmann::json& versions) try {
  session_.versions = versions;
  write_session();
} catch (const SqliteError& error) {
  rethrow(path_, error);
}

void Store::write_session() {
  Statement update(*connection_,
                   "UPDATE session SET started = ?, last = ?, seconds = ?, workers = ?, command = ?, machine = ?, "
                   "versions = ?, checksum = ? WHERE id = ?");
  bind_session(update, session_).bind(session_id_).step();
}

void Store::touch() {
  session_.last = utc_now();
  session_.seconds = now() - session_started_;
  write_session();
}

void Store::add(const std::string& key, const TrialSpec& spec, const TrialResult& result) {
  const nlohmann::json json = to_json(result);
  try {
    connection_->run("BEGIN IMMEDIATE");
    Statement insert(*connection_, "INSERT INTO trial VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(key).bind(to_json(spec).dump()).bind(json.at("status").get<std::string>());
    // A worker's words may hold bytes that are no UTF-8.
    insert.bind(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    insert.bind(result.seconds).bind(utc_now()).bind(session_id_).bind_checksum().step();
    touch();
    connection_->run("COMMIT");
  } catch (const SqliteError& error) {
    sqlite3_exec(connection_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    rethrow(path_, error);
  }
}

}  // namespace norma::lab
