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
  study.data = {{"checksum", "abc"}, {"classes", 10}, {"shape", {1, 8, 8}}};
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

TEST(Store, GivesBackWhatWasPutIn) {
  const Temporary folder;
  {
    Store store = Store::open_or_create(folder.path(), record());
    store.begin_session(session());
    store.set_versions({{"torch", "9"}});
    store.add("k1", {}, result(0.25));
    store.add("k2", {}, result(std::nan("")));
  }
  const Store store = Store::open(folder.path());
  EXPECT_EQ(store.study().identity, record().identity);
  EXPECT_EQ(store.study().file.text, "name = \"x\"");
  const auto trials = store.trials();
  ASSERT_EQ(trials.size(), 2U);
  EXPECT_EQ(trials.at("k1").test_error, 0.25);
  EXPECT_EQ(trials.at("k1").test_wrong, "01");
  EXPECT_TRUE(std::isnan(trials.at("k2").test_error));
  ASSERT_EQ(store.sessions().size(), 1U);
  EXPECT_EQ(store.sessions()[0].versions.at("torch"), "9");
  EXPECT_EQ(store.sessions()[0].machine.at("cpu"), "abacus");
}

TEST(Store, RefusesATrialTwiceAndGoesOn) {
  const Temporary folder;
  Store store = Store::open_or_create(folder.path(), record());
  store.begin_session(session());
  store.add("k", {}, result(0.25));
  EXPECT_THROW(store.add("k", {}, result(0.5)), std::runtime_error);
  store.add("l", {}, result(0.75));
  EXPECT_EQ(store.trials().at("k").test_error, 0.25);
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
    for (int i = 0; i < 20; ++i) store.add("k" + std::to_string(i), {}, result(0.25));
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
    for (int i = 0; i < 200; ++i) store.add("k" + std::to_string(i), {}, result(0.25));
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
  expect_refused(bytes, "a store of version 99, this norma reads version 1");
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

// A database that SQLite finds sound, holding what no study would: named with the file, whatever reads it.
class Contents : public Damage {
 protected:
  std::string refusal(const char* sql) const {
    const Temporary folder;
    {
      Store store = Store::open_or_create(folder.path(), record());
      store.begin_session(session());
      store.add("k", {}, result(0.25));
    }
    const std::string path = folder.path() + "/study.sqlite";
    Connection(path, SQLITE_OPEN_READWRITE).run(sql);
    const std::string words = message_of<InputError>([&] {
      const Store store = Store::open(folder.path());
      store.trials();
      store.sessions();
    });
    const std::string start = path + ": damaged: ";
    return words.starts_with(start) ? words.substr(start.size()) : "not refused as damaged: " + words;
  }
};

TEST_F(Contents, ThatAreNoJson) {
  EXPECT_THAT(refusal("UPDATE session SET machine = '{bad'"), HasSubstr("parse_error"));
  EXPECT_THAT(refusal("UPDATE session SET versions = ''"), HasSubstr("parse_error"));
  EXPECT_THAT(refusal("UPDATE trial SET result = '{'"), HasSubstr("parse_error"));
  EXPECT_THAT(refusal("UPDATE study SET identity = 'x'"), HasSubstr("parse_error"));
}

TEST_F(Contents, OfAnotherShape) {
  EXPECT_THAT(refusal("UPDATE study SET data = '[]'"), HasSubstr("'data': expected an object, got []"));
  EXPECT_THAT(refusal("UPDATE study SET data = '{\"checksum\":\"a\",\"classes\":2,\"shape\":[1]}'"),
              HasSubstr("a shape of three sizes"));
  EXPECT_THAT(refusal("UPDATE study SET data = '{}'"), HasSubstr("'shape' not found"));
  EXPECT_THAT(refusal("UPDATE study SET identity = '[1]'"), HasSubstr("'identity': expected an object"));
  EXPECT_THAT(refusal("UPDATE study SET identity = '{\"name\":1}'"), HasSubstr("expected a name"));
  EXPECT_THAT(refusal("UPDATE session SET machine = '[]'"), HasSubstr("'machine': expected an object"));
  EXPECT_THAT(refusal("UPDATE session SET versions = '{\"isa\":2}'"), HasSubstr("expected words for 'isa'"));
  EXPECT_THAT(refusal("UPDATE trial SET result = '[]'"), HasSubstr("expected an object"));
}

TEST_F(Contents, OutOfRangeOrMissing) {
  EXPECT_THAT(refusal("UPDATE study SET seeds = 999999999999"), HasSubstr("'seeds': expected 1 to 1000"));
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
