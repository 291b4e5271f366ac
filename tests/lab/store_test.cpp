// The store: what it keeps, and what it refuses without a change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <csignal>

#include "lab/error.h"
#include "lab/store/sqlite.h"
#include "lab/store/store.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using norma::testing::read_file;
using norma::testing::Temporary;
using ::testing::AllOf;
using ::testing::HasSubstr;

StudyRecord record(std::int64_t seeds = 3) {
  StudyRecord study;
  study.file = {"quick (built in)", "name = \"x\"", ""};
  study.seeds = seeds;
  study.identity = {{"name", "x"}, {"seeds", seeds}};
  study.data["parts"] = {{{"checksum", "abc"}, {"classes", 10}, {"shape", {1, 8, 8}}}};
  study.code_version = "1";
  study.started = utc_now();
  return study;
}

Session session() {
  Session session;
  session.started = utc_now();
  session.workers = 2;
  session.command = "norma study x";
  session.machine = {{"cpu", "abacus"}};
  session.versions = nlohmann::json::object();
  return session;
}

TrialResult result(double error) {
  TrialResult result;
  result.test_error = error;
  result.test_wrong = "01";
  result.seconds = 0.5;
  return result;
}

TrialSpec trial(std::uint64_t seed) {
  TrialSpec spec;
  spec.arm = "batch";
  spec.normalization_batch = 4;
  spec.seed = seed;
  return spec;
}

// Adds a trial of this seed and returns its key.
std::string add(Store& store, std::uint64_t seed, const TrialResult& result) {
  const std::string key = trial_key(trial(seed), record().code_version);
  store.add(key, trial(seed), result);
  return key;
}

TEST(Store, GivesBackWhatWasPutIn) {
  const Temporary folder;
  std::string first, second;
  {
    Store store = Store::open_or_create(folder.path(), record());
    store.begin_session(session());
    store.set_versions({{"torch", "9"}});
    first = add(store, 1, result(0.25));
    TrialResult without = result(std::nan(""));
    without.seconds = std::nan("");
    second = add(store, 2, without);
  }
  const Store store = Store::open(folder.path());
  EXPECT_EQ(store.study().identity, record().identity);
  EXPECT_EQ(store.study().file.text, "name = \"x\"");
  const auto trials = store.trials();
  ASSERT_EQ(trials.size(), 2U);
  EXPECT_EQ(trials.at(first).test_error, 0.25);
  EXPECT_EQ(trials.at(first).test_wrong, "01");
  EXPECT_TRUE(std::isnan(trials.at(second).test_error));
  ASSERT_EQ(store.sessions().size(), 1U);
  EXPECT_EQ(store.sessions()[0].versions.at("torch"), "9");
  EXPECT_EQ(store.sessions()[0].machine.at("cpu"), "abacus");
}

TEST(Store, RefusesATrialTwiceAndGoesOn) {
  const Temporary folder;
  Store store = Store::open_or_create(folder.path(), record());
  store.begin_session(session());
  const std::string key = add(store, 1, result(0.25));
  EXPECT_THROW(add(store, 1, result(0.5)), std::runtime_error);
  add(store, 2, result(0.75));
  EXPECT_EQ(store.trials().at(key).test_error, 0.25);
  EXPECT_EQ(store.trials().size(), 2U);
}

TEST(Store, WritesAheadAndWaitsForTheDisk) {
  const Temporary folder;
  const Store store = Store::open_or_create(folder.path(), record());
  Connection reader(folder.path() + "/study.sqlite", SQLITE_OPEN_READONLY);
  Statement mode(reader, "PRAGMA journal_mode");
  ASSERT_TRUE(mode.step());
  EXPECT_EQ(mode.text(0), "wal");
}

// A process that is killed right after `add` has lost nothing: the next one finds it, without any closing.
TEST(Store, KeepsWhatWasAddedBeforeAKill) {
  const Temporary folder;
  const pid_t child = fork();
  if (child == 0) {
    Store store = Store::open_or_create(folder.path(), record());
    store.begin_session(session());
    for (std::uint64_t i = 0; i < 20; ++i) add(store, i, result(0.25));
    raise(SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(Store::open(folder.path()).trials().size(), 20U);
}

TEST(Store, RefusesAnotherStudyNamingWhatDiffers) {
  const Temporary folder;
  Store::open_or_create(folder.path(), record());
  EXPECT_THAT(message_of<InputError>([&] { Store::open_or_create(folder.path(), record(4)); }),
              AllOf(HasSubstr("another study"), HasSubstr("'seeds' (3 there, 4 here)")));
  StudyRecord newer = record();
  newer.code_version = "2";
  EXPECT_THAT(message_of<InputError>([&] { Store::open_or_create(folder.path(), newer); }),
              HasSubstr("norma 1, this is 2"));
}

TEST(Store, RefusesAFolderWithoutAStore) {
  const Temporary folder;
  EXPECT_THAT(message_of<InputError>([&] { Store::open(folder.path()); }), HasSubstr("holds no study"));
  EXPECT_THAT(message_of<InputError>([&] { Store::open(folder.path() + "/none"); }), HasSubstr("no such folder"));
}

// Each kind of damage: a clear refusal, and not a byte changed.
class Damage : public ::testing::Test {
 protected:
  Damage() {
    Store store = Store::open_or_create(folder_.path(), record());
    store.begin_session(session());
    for (std::uint64_t i = 0; i < 200; ++i) add(store, i, result(0.25));
  }
  void expect_refused(const std::string& bytes, const std::string& words) const {
    const std::string path = folder_.write("study.sqlite", bytes);
    EXPECT_THAT(message_of<InputError>([&] { Store::open_or_create(folder_.path(), record()).trials(); }),
                HasSubstr(words));
    EXPECT_EQ(read_file(path), bytes);
  }
  std::string whole() const { return read_file(folder_.path() + "/study.sqlite"); }

  Temporary folder_;
};

TEST_F(Damage, OfTheVersion) {
  std::string bytes = whole();
  bytes[63] = 99;
  expect_refused(bytes, "a store of version 99, this norma reads version 2");
}

TEST_F(Damage, OfTheApplication) {
  std::string bytes = whole();
  bytes[68] = 'X';
  expect_refused(bytes, "no store of norma");
}

TEST_F(Damage, OfTheHeader) {
  expect_refused("", "damaged");
  expect_refused("hello", "damaged");
  std::string bytes = whole();
  bytes[3] = 'X';
  expect_refused(bytes, "damaged");
}

TEST_F(Damage, ByTruncation) {
  const std::string bytes = whole();
  for (const std::size_t part : {1U, 2U, 3U}) expect_refused(bytes.substr(0, bytes.size() * part / 4), "damaged");
}

TEST_F(Damage, InTheMiddle) {
  std::string bytes = whole();
  for (std::size_t i = 4096; i < bytes.size(); ++i) bytes[i] = 'x';
  expect_refused(bytes, "damaged");
}

// One bit at a time, all over the file: it is refused, or makes no difference.
TEST(Store, NeverBelievesABitThatTurned) {
  const Temporary folder;
  {
    Store store = Store::open_or_create(folder.path(), record());
    store.begin_session(session());
    for (std::uint64_t i = 0; i < 6; ++i) add(store, i, result(0.25));
  }
  const auto contents = [&] {
    const Store store = Store::open(folder.path());
    std::string all = store.study().identity.dump() + store.study().file.text + store.study().data.dump();
    for (const auto& [key, result] : store.trials()) all += key + to_json(result).dump();
    for (const Session& one : store.sessions()) all += one.started + one.command + one.machine.dump();
    return all;
  };
  const std::string whole = read_file(folder.path() + "/study.sqlite"), before = contents();
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); at += 29) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    folder.write("study.sqlite", bytes);
    try {
      EXPECT_EQ(contents(), before) << "byte " << at;
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
}

// A database that SQLite finds sound, holding what no study would: named with the file, whatever reads it.
class Contents : public ::testing::Test {
 protected:
  // A store of one trial after these statements, and what the next reader says to it. `sealed`: whoever edited it also
  // wrote checksums that fit.
  std::string refusal(const char* sql, bool sealed = false) const {
    const Temporary folder;
    {
      Store store = Store::open_or_create(folder.path(), record());
      store.begin_session(session());
      add(store, 1, result(0.25));
    }
    const std::string path = folder.path() + "/study.sqlite";
    {
      Connection connection(path, SQLITE_OPEN_READWRITE);
      connection.run(sql);
      if (sealed) {
        seal(connection, "SELECT * FROM trial",
             "UPDATE trial SET (key, spec, status, result, seconds, finished, "
             "session, checksum) = (?, ?, ?, ?, ?, ?, ?, ?)");
        seal(connection,
             "SELECT name, file_name, file_text, file_folder, seeds, identity, data, code_version, started "
             "FROM study",
             "UPDATE study SET (name, file_name, file_text, file_folder, seeds, identity, data, code_version, started, "
             "checksum) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        seal(connection, "SELECT started, last, seconds, workers, command, machine, versions FROM session",
             "UPDATE session SET (started, last, seconds, workers, command, machine, versions, checksum) = "
             "(?, ?, ?, ?, ?, ?, ?, ?)");
      }
    }
    const std::string words = message_of<InputError>([&] {
      const Store store = Store::open(folder.path());
      store.trials();
      store.sessions();
    });
    const std::string start = path + ": damaged: ";
    return words.starts_with(start) ? words.substr(start.size()) : "not refused as damaged: " + words;
  }

 private:
  static void seal(Connection& connection, const char* read, const char* write) {
    Statement row(connection, read), update(connection, write);
    ASSERT_TRUE(row.step());
    const int values = sqlite3_bind_parameter_count(update.handle()) - 1;
    for (int i = 0; i < values; ++i) {
      const int type = sqlite3_column_type(row.handle(), i);
      if (type == SQLITE_INTEGER) {
        update.bind(row.integer(i));
      } else if (type == SQLITE_FLOAT) {
        update.bind(row.real(i));
      } else {
        update.bind(std::string_view(row.text(i)));
      }
    }
    update.bind_checksum().step();
  }
};

TEST_F(Contents, ThatWereEdited) {
  EXPECT_THAT(refusal("UPDATE trial SET result = replace(result, '0.25', '0.01')"),
              AllOf(HasSubstr("trial " + trial_key(trial(1), "1")), HasSubstr("does not match its checksum"),
                    HasSubstr("sqlite3"), HasSubstr("DELETE FROM trial WHERE rowid = 1"), HasSubstr("--out")));
  EXPECT_THAT(refusal("UPDATE trial SET seconds = 0.25"), HasSubstr("does not match its checksum"));
  EXPECT_THAT(refusal("UPDATE trial SET status = 'crashed'"), HasSubstr("does not match its checksum"));
  EXPECT_THAT(refusal("UPDATE trial SET checksum = ''"), HasSubstr("does not match its checksum"));
  EXPECT_THAT(refusal("UPDATE study SET seeds = 4"), HasSubstr("the study's row does not match its checksum"));
  EXPECT_THAT(refusal("UPDATE session SET workers = 9"), HasSubstr("session 1 does not match its checksum"));
}

// A row that is sound in itself, put in the place of another trial.
TEST_F(Contents, UnderTheKeyOfAnotherTrial) {
  EXPECT_THAT(refusal("UPDATE trial SET key = '0123'", true), HasSubstr("the key is not that of the trial it names"));
  EXPECT_THAT(refusal("UPDATE trial SET spec = replace(spec, '\"seed\":1', '\"seed\":2')", true),
              HasSubstr("the key is not that of the trial it names"));
}

TEST_F(Contents, ThatAreNoJson) {
  EXPECT_THAT(refusal("UPDATE session SET machine = '{bad'", true), HasSubstr("parse_error"));
  EXPECT_THAT(refusal("UPDATE session SET versions = ''", true), HasSubstr("parse_error"));
  EXPECT_THAT(refusal("UPDATE trial SET result = '{'", true), HasSubstr("parse_error"));
  EXPECT_THAT(refusal("UPDATE study SET identity = 'x'", true), HasSubstr("parse_error"));
}

TEST_F(Contents, OfAnotherShape) {
  EXPECT_THAT(refusal("UPDATE study SET data = '[]'", true), HasSubstr("'data': expected an object, got []"));
  EXPECT_THAT(refusal("UPDATE study SET data = '{\"parts\":[{\"checksum\":\"a\",\"classes\":2,\"shape\":[1]}]}'", true),
              HasSubstr("a shape of three sizes"));
  EXPECT_THAT(refusal("UPDATE study SET data = '{}'", true), HasSubstr("'parts' not found"));
  EXPECT_THAT(refusal("UPDATE study SET identity = '[1]'", true), HasSubstr("'identity': expected an object"));
  EXPECT_THAT(refusal("UPDATE study SET identity = '{\"name\":1}'", true), HasSubstr("expected a name"));
  EXPECT_THAT(refusal("UPDATE session SET machine = '[]'", true), HasSubstr("'machine': expected an object"));
  EXPECT_THAT(refusal("UPDATE session SET versions = '{\"isa\":2}'", true), HasSubstr("expected words for 'isa'"));
  EXPECT_THAT(refusal("UPDATE trial SET result = '[]'", true), HasSubstr("expected an object"));
}

TEST_F(Contents, OutOfRangeOrMissing) {
  EXPECT_THAT(refusal("UPDATE study SET seeds = 999999999999", true), HasSubstr("'seeds': expected 0 to 1000"));
  EXPECT_THAT(refusal("DELETE FROM study"), HasSubstr("names no study"));
  EXPECT_THAT(refusal("DROP TABLE trial"), HasSubstr("no such table: trial"));
  EXPECT_THAT(refusal("DROP TABLE study"), HasSubstr("no such table: study"));
}

TEST_F(Contents, NameTheFileWhereASessionCannotBegin) {
  const Temporary folder;
  Store store = Store::open_or_create(folder.path(), record());
  Connection(folder.path() + "/study.sqlite", SQLITE_OPEN_READWRITE).run("DROP TABLE trial; DROP TABLE session");
  EXPECT_THAT(message_of<InputError>([&] { store.begin_session(session()); }), HasSubstr("study.sqlite: damaged: no"));
  EXPECT_THAT(message_of<InputError>([&] { store.set_versions({}); }), HasSubstr("study.sqlite: damaged: no"));
}

TEST(FolderLock, HoldsForOneProcessAtATime) {
  const Temporary folder;
  const auto lock = std::make_unique<FolderLock>(folder.path());
  EXPECT_THAT(message_of<InputError>([&] { FolderLock second(folder.path()); }),
              AllOf(HasSubstr("another norma study is running"), HasSubstr(std::to_string(getpid()))));
}

TEST(FolderLock, IsNeverStale) {
  const Temporary folder;
  const pid_t child = fork();
  if (child == 0) {
    const FolderLock lock(folder.path());
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
  EXPECT_EQ(message_of<InputError>([&] { FolderLock lock(folder.path()); }), "");
}

}  // namespace
}  // namespace norma::lab
