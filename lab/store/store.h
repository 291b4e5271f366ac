// Where a study's trials are kept: DIR/study.sqlite.
//
// Every finished trial is written at once, in a transaction of its own (WAL, synchronous FULL): a kill at any moment
// loses nothing finished, and a trial's key is unique, so nothing is written twice. Every row carries a checksum of its
// values, so that a bit that turned or a hand that edited is not taken for a result. The file comes into being whole:
// it is made under another name and renamed. One study writes at a time (FolderLock); reports may read meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/study/study.h"
#include "lab/trial/spec.h"

namespace norma::lab {

class Connection;

// What the store says about its study: written once.
struct StudyRecord {
  StudyFile file;
  std::int64_t seeds = 0;    // the command's; 0: as the file says
  nlohmann::json identity;   // study_identity(): decides whether a study is the same
  nlohmann::json data;       // "parts": of each part "data" of the results document
  std::string code_version;  // of the trials' keys
  std::string started;       // UTC
};

// One run of `norma study` on this store: the first, and one for every resume.
struct Session {
  std::string started, last;  // UTC; `last` moves with every trial
  double seconds = 0;         // between them
  std::int64_t workers = 0;
  std::string command;
  nlohmann::json machine, versions;
};

// Holds DIR for one process. The kernel lets go when the process ends, however it ends: never stale.
class FolderLock {
 public:
  // Throws InputError if another process holds it, naming that, or if DIR cannot be written.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_ = -1;
};

class Store {
 public:
  // All throw InputError where the folder is at fault, with nothing changed: no store in it, a store of another
  // version, a damaged one.
  // A folder that may not be written is read all the same, unless a study was killed there and left half of its files.
  static Store open(const std::string& folder);
  // Throws what open_or_create() would throw for a store that is there.
  static void check(const std::string& folder, const StudyRecord& study);
  // Opens the folder's store, or makes one if the folder is new or empty. A store that holds another study, or one
  // made by another code version, is refused. The caller holds the lock.
  static Store open_or_create(const std::string& folder, const StudyRecord& study);

  Store(Store&&) noexcept;
  ~Store();

  const StudyRecord& study() const { return study_; }
  std::vector<Session> sessions() const;
  // Finished trials by key. Every row is held against its checksum, and its key against the trial it names.
  std::map<std::string, TrialResult> trials() const;

  // Takes another text of the same study.
  void set_file(const StudyFile& file);
  void begin_session(const Session& session);
  // What the workers say they run on, once they are up.
  void set_versions(const nlohmann::json& versions);
  // Writes a finished trial and moves the session's clock, in one transaction.
  void add(const std::string& key, const TrialSpec& spec, const TrialResult& result);

 private:
  Store(std::unique_ptr<Connection> connection, std::string path);
  void read_study();
  void touch();
  void write_session();

  std::unique_ptr<Connection> connection_;
  std::string path_;
  StudyRecord study_;
  Session session_;  // begun here
  std::int64_t session_id_ = 0;
  double session_started_ = 0;
};

// "2026-11-23T12:00:00Z".
std::string utc_now();

}  // namespace norma::lab
