// norma study: trains a study's trials in worker processes, keeps every finished one, and says what they show. Started
// again on the same folder it goes on where it stopped.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "commands.h"
#include "lab/data/dataset.h"
#include "lab/results/machine.h"
#include "lab/results/results.h"
#include "lab/store/store.h"
#include "lab/study/run.h"
#include "lab/study/study.h"
#include "lab/trial/version.h"
#include "lab_errors.h"
#include "norma/machine.h"
#include "progress.h"
#include "report_files.h"
#include "table.h"

namespace norma::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostWorkers = 1024;

struct StudyOptions {
  std::string study = "quick";
  std::string out;
  std::int64_t workers = 0;  // 0: one for every core
  std::int64_t seeds = 0;    // 0: the study's own
  std::optional<double> trial_timeout;
  bool smoke = false, full = false;
  bool quiet = false;
};

std::string size_of(const StudyOptions& options) {
  return options.smoke ? "smoke" : options.full ? "full" : "";
}

// A word as a shell takes it.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-_./=+,:@%").find(c) != std::string::npos;
  });
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// The study as named, from any folder.
std::string absolute_study(const lab::StudyFile& file, const StudyOptions& options) {
  const bool built_in = file.folder.empty();
  return built_in ? options.study : fs::absolute(options.study).string();
}

// The command that does this again, or goes on with it.
std::string command_line(const StudyOptions& options, const std::string& study, const std::string& folder) {
  std::string line = fmt::format("norma study {} --out {}", quoted(study), quoted(folder));
  if (options.workers > 0) line += fmt::format(" --workers {}", options.workers);
  if (options.seeds > 0) line += fmt::format(" --seeds {}", options.seeds);
  if (options.trial_timeout) line += fmt::format(" --trial-timeout {:g}", *options.trial_timeout);
  if (const std::string size = size_of(options); !size.empty()) line += " --" + size;
  return line;
}

// norma-trial beside this program; NORMA_TRIAL names another.
std::string worker_program() {
  if (const char* named = std::getenv("NORMA_TRIAL")) {
    if (access(named, X_OK) == 0) return named;
    throw lab::InputError(fmt::format("NORMA_TRIAL: expected a program, got '{}'", named));
  }
  std::error_code code;
  const fs::path self = fs::read_symlink("/proc/self/exe", code);
  const fs::path program = self.parent_path() / "norma-trial";
  if (access(program.c_str(), X_OK) != 0) {
    throw std::runtime_error(fmt::format("{}: not found: it belongs beside norma", program.string()));
  }
  return program.string();
}

// What a run made before it trained anything.
struct Made {
  std::vector<fs::path> folders;  // the innermost first
  bool store = false;
};

// Makes the folder, or checks that it is one that a study may use.
Made prepare_folder(const std::string& folder) {
  Made made;
  std::error_code code;
  const fs::file_status status = fs::status(folder, code);
  if (fs::exists(status) && !fs::is_directory(status)) throw lab::InputError(folder + ": not a folder");
  made.store = !fs::exists(fs::path(folder) / "study.sqlite", code);
  if (!fs::exists(status)) {
    for (fs::path at = fs::absolute(folder).lexically_normal(); !fs::exists(at, code); at = at.parent_path()) {
      if (at.has_filename()) made.folders.push_back(at);
    }
    fs::create_directories(folder, code);
    if (code) throw lab::InputError(fmt::format("{}: cannot be made: {}", folder, code.message()));
    return made;
  }
  if (!made.store) return made;
  // A study that was killed in its first moments leaves these.
  const auto ours = [](const std::string& name) { return name == "lock" || name.starts_with("study.sqlite.new"); };
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    if (!ours(entry->path().filename().string())) {
      throw lab::InputError(folder + ": not empty, and holds no study; choose another folder with --out");
    }
  }
  if (code) throw lab::InputError(fmt::format("{}: cannot be read: {}", folder, code.message()));
  return made;
}

bool holds_no_trial(const lab::Store& store) {
  try {
    return store.trials().empty();
  } catch (const std::exception&) {  // what went wrong before is what is told
    return false;
  }
}

// Takes away what the run made, where it trained nothing: a store without trials and folders with nothing in them.
void take_back(const Made& made, const std::string& folder) {
  if (!made.store) return;
  std::error_code ignored;
  for (const char* name : {"study.sqlite", "study.sqlite-wal", "study.sqlite-shm", "lock"}) {
    fs::remove(fs::path(folder) / name, ignored);
  }
  for (const fs::path& one : made.folders) fs::remove(one, ignored);  // of one that holds something: nothing
}

void warn_of_blas(const nlohmann::json& versions, Progress& progress) {
  if (versions.value("blas", "") != "reference") return;
  progress.clear();
  std::fputs(
      "warning: libtorch computes with the reference BLAS, which is several times slower than OpenBLAS.\n"
      "  Remedy: apt-get install libopenblas0-openmp; if it is there, update-alternatives --config\n"
      "  libblas.so.3-x86_64-linux-gnu chooses it.\n",
      stderr);
}

[[noreturn]] void end_interrupted(int number, std::int64_t done, std::int64_t planned, const std::string& command) {
  std::fprintf(stderr, "Stopped: %lld of %lld trials are done and kept. To go on:\n  %s\n",
               static_cast<long long>(done), static_cast<long long>(planned), command.c_str());
  throw ExitCode{128 + number};
}

// The data may have gone while trials were running: then they did not crash of their own.
void check_data(const lab::Study& study) {
  for (const lab::StudySpec& part : study.parts) {
    if (lab::describe(part.data).checksum == part.data.checksum) continue;
    throw lab::InputError(fmt::format("data '{}': the contents changed while the study ran", part.data.name));
  }
}

// Returns when all is trained.
void train(const StudyOptions& options, const lab::Study& study, lab::Store& store, const std::string& folder,
           const std::string& resume, const lab::SignalGuard& signals) {
  lab::Plan plan(study, store.study().code_version);
  Progress progress(progress_style(options.quiet));
  lab::RunOptions run;
  run.workers = options.workers > 0 ? options.workers : lab::usable_cores();
  run.program = worker_program();
  run.trial_timeout = options.trial_timeout;
  run.session.started = lab::utc_now();
  run.session.workers = run.workers;
  run.session.command = command_line(options, options.study, folder);
  run.session.machine = lab::machine();
  run.session.versions = nlohmann::json::object();
  run.progress = [&](const lab::RunProgress& now) { progress.update(now); };
  run.versions = [&](const nlohmann::json& versions) { warn_of_blas(versions, progress); };
  run.before_crash = [&] { check_data(study); };
  int stopped = 0;
  try {
    stopped = lab::run_study(store, plan, run, signals);
  } catch (...) {
    progress.clear();
    throw;
  }
  progress.clear();
  if (stopped != 0) end_interrupted(stopped, plan.done(), plan.planned(), resume);
  if (plan.done() != plan.planned()) {
    throw std::runtime_error(fmt::format("{}: only {} of {} trials could be planned: an error of norma's own", folder,
                                         plan.done(), plan.planned()));
  }
}

// The report of a study that is trained; a signal ends it between two steps.
void write_report(const lab::Store& store, const std::string& folder, const std::string& resume,
                  const lab::SignalGuard& signals) {
  const nlohmann::json results = lab::results_of(store);
  const auto end_if_told = [&] {
    const auto trials = results.at("run").at("trials").at("done").get<std::int64_t>();
    if (const int number = signals.arrived(); number != 0) end_interrupted(number, trials, trials, resume);
  };
  end_if_told();
  write_data(folder, results);
  const std::string page = write_html(folder, results);
  end_if_told();
  TextStyle style{.colour = takes_colour(STDOUT_FILENO)};
  style.width = terminal_width(STDOUT_FILENO).value_or(style.width);
  const std::string text = results_text(results, style);
  std::printf("%s\n%s\n", text.c_str(), page.c_str());
}

// The study is the same, but its file may say it in other words (the question, comments): the report carries the
// latest.
void take_words(lab::Store& store, const lab::StudyFile& file, bool quiet) {
  if (store.study().file.text == file.text) return;
  store.set_file(file);
  if (!quiet) std::fputs("note: the study file's words changed since; the report takes the new ones\n", stderr);
}

void run_study_command(const StudyOptions& options) {
  const lab::StudyFile file = lab::as_run(lab::find_study(options.study), size_of(options));
  lab::Study study =
      lab::parse_study(file, options.seeds > 0 ? std::optional<std::int64_t>(options.seeds) : std::nullopt);
  lab::StudyRecord record;
  record.data = lab::attach_all_data(study);
  record.file = file;
  record.seeds = options.seeds;
  record.identity = lab::study_identity(study);
  record.code_version = lab::code_version();
  record.started = lab::utc_now();
  const std::string usual = "runs/" + study.name + (study.size.empty() ? "" : "-" + study.size);
  const std::string folder = options.out.empty() ? usual : options.out;
  // What the workers would fail at, before anything is written.
  worker_program();
  static_cast<void>(current_isa());

  // Outlives the store, so that an impatient second Ctrl-C does not cut its closing short.
  const lab::SignalGuard signals;
  const Made made = prepare_folder(folder);
  lab::Store::check(folder, record);  // before the lock is written: a study that is refused leaves no trace
  const lab::FolderLock lock(folder);
  std::optional<lab::Store> kept = lab::Store::open_or_create(folder, record);
  lab::Store& store = *kept;
  take_words(store, file, options.quiet);
  if (!options.quiet) {
    for (const std::string& note : lab::study_notes(study)) std::fprintf(stderr, "note: %s\n", note.c_str());
  }
  const std::string resume = command_line(options, absolute_study(file, options), fs::absolute(folder).string());
  try {
    train(options, study, store, folder, resume, signals);
  } catch (const ExitCode&) {
    throw;  // stopped: it goes on from there
  } catch (...) {
    const bool nothing = holds_no_trial(store);
    kept.reset();
    if (nothing) take_back(made, folder);
    throw;
  }
  write_report(store, folder, resume, signals);
}

}  // namespace

void add_study(CLI::App& app) {
  CLI::App* command = app.add_subcommand("study", "Train a study's trials and say what they show");
  auto options = std::make_shared<StudyOptions>();
  const std::string built_in_or_file =
      fmt::format("A study file, or a built-in study: {}", fmt::join(lab::builtin_studies(), ", "));
  command->add_option("STUDY", options->study, built_in_or_file)->capture_default_str();
  command->add_option("--out", options->out, "The folder to keep it in; a study there goes on (default: runs/NAME)")
      ->check([](const std::string& folder) { return folder.empty() ? "expected a folder, got ''" : ""; });
  command->add_option("--workers", options->workers, "Worker processes (default: one for every core)")
      ->check(CLI::Range(std::int64_t{1}, kMostWorkers));
  command->add_option("--seeds", options->seeds, "Seeds of the final trials, instead of the study's")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}));
  command
      ->add_option("--trial-timeout", options->trial_timeout,
                   "Seconds after which a trial is ended and counts as crashed (default:\n20 times the slowest one of "
                   "its model, at least 600)")
      ->check(CLI::Range(1.0, 1e7));
  CLI::Option* smoke =
      command->add_flag("--smoke", options->smoke, "The study's smallest size: seconds to minutes, shows nothing");
  command->add_flag("--full", options->full, "The study's largest size: overnight")->excludes(smoke);
  command->add_flag("--quiet", options->quiet, "No progress, no notes");
  command->callback([options] { checking_input([&] { run_study_command(*options); }); });
}

}  // namespace norma::cli
