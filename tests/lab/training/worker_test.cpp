// norma-trial itself, as `norma study` speaks to it: a process, two pipes, one JSON object a line.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

#include "trials.h"

namespace norma::lab::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::MatchesRegex;

class WorkerProcess {
 public:
  WorkerProcess() {
    std::signal(SIGPIPE, SIG_IGN);  // a worker that is gone is a failed test, not the end of the tests
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) throw std::runtime_error("no pipes");
    child_ = fork();
    if (child_ == 0) {
      dup2(to[0], STDIN_FILENO);
      dup2(from[1], STDOUT_FILENO);
      for (const int fd : {to[0], to[1], from[0], from[1]}) close(fd);
      execl(NORMA_TRIAL, NORMA_TRIAL, "--serve", nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    to_ = fdopen(to[1], "w");
    from_ = fdopen(from[0], "r");
  }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess() {
    end();
    std::fclose(from_);
  }

  pid_t pid() const { return child_; }

  std::string read_line() {
    std::string line;
    for (int c = std::fgetc(from_); c != EOF && c != '\n'; c = std::fgetc(from_)) line += static_cast<char>(c);
    return line;
  }
  json ask(const std::string& line) {
    std::fprintf(to_, "%s\n", line.c_str());
    std::fflush(to_);
    return json::parse(read_line());
  }
  json ask(int id, const TrialSpec& spec) { return ask(json{{"id", id}, {"trial", to_json(spec)}}.dump()); }

  // Closes its input; the status that it ends with, as waitpid tells.
  int end() {
    if (to_ == nullptr) return status_;
    std::fclose(to_);
    to_ = nullptr;
    waitpid(child_, &status_, 0);
    return status_;
  }

 private:
  pid_t child_ = 0;
  int status_ = 0;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
};

TEST(Worker, GreetsWithItsVersions) {
  WorkerProcess worker;
  const json greeting = json::parse(worker.read_line());
  EXPECT_EQ(greeting.at("ready"), true);
  const json& versions = greeting.at("versions");
  EXPECT_EQ(versions.at("threads"), 1);
  EXPECT_FALSE(versions.at("torch").get<std::string>().empty());
  const std::string blas = versions.at("blas");
  EXPECT_FALSE(blas.empty());
  // With the kernels that it runs, which decide the bits.
  if (blas.starts_with("OpenBLAS")) {
    EXPECT_THAT(blas, MatchesRegex("OpenBLAS.*\\), \\w+"));
  }
  EXPECT_FALSE(versions.at("isa").get<std::string>().empty());
  EXPECT_THAT(versions.at("compiler").get<std::string>(), MatchesRegex("(GCC|Clang) [0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_EQ(worker.end(), 0);
}

TEST(Worker, AnswersTheSameBitsInAnyProcess) {
  const TrialSpec spec = mlp_trial("batch", 8), other = cnn_trial("batch", 16);
  WorkerProcess one, two;
  one.read_line();
  two.read_line();
  const json first = one.ask(1, spec);
  EXPECT_EQ(first.at("id"), 1);
  EXPECT_EQ(first.at("result").at("status"), "ok");
  const json between = two.ask(2, other);
  EXPECT_EQ(outcome(two.ask(3, spec).at("result")), outcome(first.at("result")));
  EXPECT_EQ(outcome(one.ask(4, other).at("result")), outcome(between.at("result")));
}

TEST(Worker, TurnsWhateverGoesWrongIntoAResult) {
  WorkerProcess worker;
  worker.read_line();
  const auto expect_crash = [](const json& answer, const json& id, const std::string& reason) {
    EXPECT_EQ(answer.at("id"), id);
    const TrialResult result = trial_result_from_json(answer.at("result"));
    EXPECT_EQ(result.status, TrialStatus::kCrashed);
    EXPECT_THAT(result.reason, HasSubstr(reason));
  };
  expect_crash(worker.ask(5, mlp_trial("batch", 7)), 5, "does not divide");
  TrialSpec missing = mlp_trial("none");
  missing.data.source = "idx";
  missing.data.files = {{"train_images", "no/such/file"}, {"train_labels", "no/such/file"}};
  expect_crash(worker.ask(6, missing), 6, "no/such/file");
  expect_crash(worker.ask(R"({"id":7,"trial":{}})"), 7, "missing");
  expect_crash(worker.ask("no JSON at all"), nullptr, "parse error");
  EXPECT_EQ(worker.ask(8, mlp_trial("none")).at("result").at("status"), "ok");
}

TEST(Worker, LeavesCtrlCToTheStudy) {
  WorkerProcess worker;
  worker.read_line();
  ASSERT_EQ(kill(worker.pid(), SIGINT), 0);
  EXPECT_EQ(worker.ask(1, mlp_trial("none")).at("result").at("status"), "ok");
  EXPECT_EQ(worker.end(), 0);
}

// True once the process is gone, or a zombie that nobody has collected yet.
bool is_gone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return true;
  const std::size_t name_end = text.rfind(") ");
  return name_end == std::string::npos || text[name_end + 2] == 'Z';
}

TEST(Worker, DiesWithItsParent) {
  int to[2], from[2];
  ASSERT_EQ(pipe(to), 0);
  ASSERT_EQ(pipe(from), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    const pid_t worker = fork();
    if (worker == 0) {
      dup2(to[0], STDIN_FILENO);
      dup2(from[1], STDOUT_FILENO);
      execl(NORMA_TRIAL, NORMA_TRIAL, "--serve", nullptr);
      _exit(127);
    }
    const std::string line = std::to_string(worker) + "\n";
    if (write(from[1], line.data(), line.size()) < 0) _exit(1);
    pause();
    _exit(0);
  }
  std::FILE* answers = fdopen(from[0], "r");
  char line[4096];
  ASSERT_NE(std::fgets(line, sizeof line, answers), nullptr);
  const pid_t worker = std::stoi(line);
  ASSERT_NE(std::fgets(line, sizeof line, answers), nullptr);  // its greeting: it is up
  ASSERT_FALSE(is_gone(worker));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  // Its input is still open here, so it is not that which ends it.
  for (int i = 0; i < 500 && !is_gone(worker); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(is_gone(worker));
  kill(worker, SIGKILL);
  std::fclose(answers);
  for (const int fd : {to[0], to[1], from[1]}) close(fd);
}

}  // namespace
}  // namespace norma::lab::test
