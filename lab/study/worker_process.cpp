#include "lab/study/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace norma::lab {
namespace {

constexpr std::size_t kMaxLine = std::size_t{64} << 20U;
constexpr std::size_t kLastWords = 2000;

// Closes the ends that nobody took.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error(fmt::format("cannot start a worker: {}", std::strerror(errno)));
    }
    read = ends[0];
    write = ends[1];
  }
  ~Pipe() {
    if (read >= 0) ::close(read);
    if (write >= 0) ::close(write);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read = -1, write = -1;
};

// In the child, between fork and exec: system calls only.
[[noreturn]] void become(const char* program, pid_t parent, const Pipe& in, const Pipe& out, const Pipe& err) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(125);  // the parent ended before the line above
  dup2(in.read, STDIN_FILENO);
  dup2(out.write, STDOUT_FILENO);
  dup2(err.write, STDERR_FILENO);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execl(program, program, "--serve", static_cast<char*>(nullptr));
  dprintf(STDERR_FILENO, "%s: %s", program, std::strerror(errno));
  _exit(127);
}

void close_end(int& end) {
  if (end >= 0) ::close(end);
  end = -1;
}

// What a pipe holds now; false at its end.
bool read_available(int end, std::string& into) {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(end, buffer.data(), buffer.size());
    if (got > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
}

}  // namespace

WorkerProcess::WorkerProcess(const std::string& program) {
  Pipe in, out, err;
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) become(program.c_str(), parent, in, out, err);
  if (process_ < 0) throw std::runtime_error(fmt::format("cannot start a worker: {}", std::strerror(errno)));
  input_ = std::exchange(in.write, -1);
  output_ = std::exchange(out.read, -1);
  errors_ = std::exchange(err.read, -1);
  fcntl(output_, F_SETFL, O_NONBLOCK);
  fcntl(errors_, F_SETFL, O_NONBLOCK);
}

WorkerProcess::~WorkerProcess() {
  if (state_ != State::kDead) bury("");
}

void WorkerProcess::start(const PlannedTrial& trial) {
  trial_ = trial;
  state_ = State::kBusy;
  since_ = std::chrono::steady_clock::now();
  const std::string line = nlohmann::json{{"id", ++id_}, {"trial", to_json(trial.spec)}}.dump() + "\n";
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t wrote = ::write(input_, line.data() + done, line.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return;  // it died: its output says so at the next read
    done += static_cast<std::size_t>(wrote);
  }
}

std::optional<TrialResult> WorkerProcess::read() {
  read_errors();
  const bool open = read_available(output_, unread_);
  std::optional<TrialResult> result;
  for (;;) {
    const std::size_t end = unread_.find('\n');
    if (end == std::string::npos) break;
    const std::string line = unread_.substr(0, end);
    unread_.erase(0, end + 1);
    try {
      result = handle(line);
    } catch (const std::exception& error) {
      bury(fmt::format("it answered '{}': {}", line.substr(0, 200), error.what()));
      return std::nullopt;
    }
    if (result) return result;
  }
  if (unread_.size() > kMaxLine) bury("it answered without end");
  if (!open && state_ != State::kDead) {
    await_end();
    bury("");
  }
  return std::nullopt;
}

std::optional<TrialResult> WorkerProcess::handle(const std::string& line) {
  const nlohmann::json json = nlohmann::json::parse(line);
  if (state_ == State::kStarting) {
    if (!json.value("ready", false)) throw std::runtime_error("expected {\"ready\":true}");
    versions_ = json.value("versions", nlohmann::json::object());
    state_ = State::kIdle;
    return std::nullopt;
  }
  if (state_ != State::kBusy || json.at("id") != id_) throw std::runtime_error("nobody asked");
  TrialResult result = trial_result_from_json(json.at("result"));
  state_ = State::kIdle;
  return result;
}

void WorkerProcess::read_errors() {
  if (errors_ < 0) return;
  if (!read_available(errors_, last_words_)) close_end(errors_);
  if (last_words_.size() > kLastWords) last_words_.erase(0, last_words_.size() - kLastWords);
}

double WorkerProcess::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since_).count();
}

// Its output is closed, so it is ending: what it ends with is its own word, not the signal that bury() sends. One that
// closed its output and lives on has had its time.
void WorkerProcess::await_end() const {
  constexpr int kPatience = 200;  // of 5 ms
  for (int i = 0; i < kPatience; ++i) {
    siginfo_t ended{};
    if (waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOHANG | WNOWAIT) != 0) return;
    if (ended.si_pid != 0) return;
    usleep(5000);
  }
}

void WorkerProcess::bury(const std::string& complaint) {
  kill(-process_, SIGKILL);
  kill(process_, SIGKILL);  // should its group not stand yet
  while (waitpid(process_, &status_, 0) < 0 && errno == EINTR) {
  }
  read_errors();
  for (int* end : {&input_, &output_, &errors_}) close_end(*end);
  complaint_ = complaint;
  state_ = State::kDead;
}

std::string WorkerProcess::death() const {
  std::string how = complaint_;
  if (how.empty() && WIFSIGNALED(status_)) {
    const int number = WTERMSIG(status_);
    how = fmt::format("ended by signal {} ({}{})", number, strsignal(number),
                      number == SIGKILL ? ", as the system does where memory runs out" : "");
  } else if (how.empty()) {
    how = fmt::format("ended with exit code {}", WEXITSTATUS(status_));
  }
  std::string words = last_words_;
  while (!words.empty() && (words.back() == '\n' || words.back() == ' ')) words.pop_back();
  return words.empty() ? how : how + ": " + words;
}

bool WorkerProcess::was_told_to_end() const {
  if (!complaint_.empty() || !WIFSIGNALED(status_)) return false;
  const int number = WTERMSIG(status_);
  return number == SIGTERM || number == SIGINT || number == SIGHUP;
}

}  // namespace norma::lab
