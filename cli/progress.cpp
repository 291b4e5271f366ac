#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace norma::cli {
namespace {

constexpr double kLineSeconds = 10, kRedrawSeconds = 0.1;

std::string bar(double fraction, std::size_t width) {
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(width));
  std::string text;
  for (std::size_t i = 0; i < width; ++i) text += i < full ? "█" : "░";
  return text;
}

bool begun(const lab::Cell& cell) {
  return std::any_of(cell.final.begin(), cell.final.end(), [](const auto& r) { return r.has_value(); });
}

// Of each part, whether it has all its trials.
std::vector<bool> parts_done(const lab::Plan& plan) {
  std::vector<bool> done(plan.study().parts.size(), true);
  for (const lab::Cell& cell : plan.cells()) {
    const bool whole = std::all_of(cell.final.begin(), cell.final.end(), [](const auto& r) { return r.has_value(); });
    if (!whole) done[cell.part] = false;
  }
  return done;
}

// The arms of one model at one normalization batch, over the seeds that all those have that have any.
struct Column {
  std::int64_t batch = 0, seeds = 0;
  std::string words;
};

std::vector<std::int64_t> batches_of(const lab::StudySpec& study) {
  return study.normalization_batches.empty() ? std::vector<std::int64_t>{0} : study.normalization_batches;
}

double error_of(const lab::TrialResult& result) {
  return result.status == lab::TrialStatus::kOk ? result.test_error : 1;
}

Column column_of(const lab::Plan& plan, std::size_t part, std::size_t model, std::int64_t batch) {
  const lab::StudySpec& study = plan.study().parts[part];
  std::vector<const lab::Cell*> cells;
  for (const lab::Cell& cell : plan.cells()) {
    const bool here = cell.part == part && cell.model == model &&
                      (cell.normalization_batch == 0 || cell.normalization_batch == batch);
    if (here && begun(cell)) cells.push_back(&cell);
  }
  Column column;
  column.batch = batch;
  if (cells.size() < 2) return column;
  std::vector<double> sums(cells.size());
  for (std::size_t seed = 0; seed < static_cast<std::size_t>(study.seeds); ++seed) {
    if (!std::all_of(cells.begin(), cells.end(), [&](const auto* cell) { return cell->final[seed].has_value(); })) {
      continue;
    }
    ++column.seeds;
    for (std::size_t c = 0; c < cells.size(); ++c) sums[c] += error_of(*cells[c]->final[seed]);
  }
  for (std::size_t c = 0; c < cells.size(); ++c) {
    column.words += fmt::format("{}{} {:.1f}%", c == 0 ? "" : ", ", cells[c]->arm,
                                100 * sums[c] / static_cast<double>(std::max<std::int64_t>(1, column.seeds)));
  }
  return column;
}

// A line for each model of a part.
std::vector<std::string> standing_of(const lab::Plan& plan, std::size_t part) {
  const lab::StudySpec& study = plan.study().parts[part];
  std::vector<std::string> lines;
  for (std::size_t model = 0; model < study.models.size(); ++model) {
    Column best;
    for (const std::int64_t batch : batches_of(study)) {
      Column column = column_of(plan, part, model, batch);
      if (column.seeds > best.seeds) best = std::move(column);
    }
    if (best.seeds == 0) continue;
    const std::string at = best.batch > 0 ? fmt::format(", normalization batch {}", best.batch) : "";
    lines.push_back(fmt::format("{}{}, {} seed{}: {}", study.models[model].spec.name, at, best.seeds,
                                best.seeds == 1 ? "" : "s", best.words));
  }
  return lines;
}

// Cut between two of its figures where it is too long: half a number is a wrong one.
std::string fitted(const std::string& line, std::size_t width) {
  if (line.size() <= width) return line;
  const std::size_t room = width > 2 ? width - 2 : 0;
  const std::size_t comma = line.rfind(", ", room);
  return comma == std::string::npos ? "" : line.substr(0, comma) + " …";
}

}  // namespace

ProgressStyle progress_style(bool quiet) {
  if (quiet) return ProgressStyle::kQuiet;
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return isatty(STDERR_FILENO) != 0 && !dumb ? ProgressStyle::kTerminal : ProgressStyle::kLines;
}

bool takes_colour(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(descriptor) != 0 && (no_color == nullptr || *no_color == '\0');
}

std::optional<std::size_t> terminal_width(int descriptor) {
  constexpr std::size_t kUsual = 80, kLeast = 20;
  if (isatty(descriptor) == 0) return std::nullopt;
  winsize size{};
  std::size_t width = ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
  const char* columns = std::getenv("COLUMNS");
  if (width == 0 && columns != nullptr) width = std::strtoul(columns, nullptr, 10);
  return width == 0 ? kUsual : std::max(width, kLeast);
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
}

std::vector<std::string> standing(const lab::Plan& plan) {
  constexpr std::size_t kMostLines = 4;  // of several parts, that grow alike: a terminal has not room for all
  const std::size_t parts = plan.study().parts.size();
  const std::vector<bool> done = parts_done(plan);
  std::vector<std::string> lines;
  if (parts > 1) lines.push_back(fmt::format("{} of {} parts done", std::count(done.begin(), done.end(), true), parts));
  if (plan.done_final() == 0) {
    lines.emplace_back("tuning learning rates");
    return lines;
  }
  for (std::size_t part = 0; part < parts; ++part) {
    if (parts > 1 && (done[part] || lines.size() >= kMostLines)) continue;
    for (std::string& line : standing_of(plan, part)) {
      if (parts > 1) line = plan.study().parts[part].name + ": " + line;
      if (parts == 1 || lines.size() < kMostLines) lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::string counts(const lab::RunProgress& progress) {
  const std::int64_t done = progress.plan.done(), planned = progress.plan.planned();
  std::string text = fmt::format("{}/{} trials, {}%", done, planned, planned > 0 ? 100 * done / planned : 100);
  const std::int64_t here = done - progress.stored;
  if (here > 0 && progress.seconds > 0) {
    const double rate = static_cast<double>(here) / progress.seconds;
    text += fmt::format(", {:.{}f}/s", rate, rate < 1 ? 2 : 1);
  }
  // By the trials' own seconds, which leave out what is between them: of moments nothing can be said.
  const auto left = progress.plan.seconds_left();
  const double seconds = left && here > 0 ? *left / static_cast<double>(progress.workers) : 0;
  if (seconds >= 1) text += fmt::format(", {} left", duration(seconds));
  return text;
}

void Progress::update(const lab::RunProgress& progress) {
  const std::int64_t done = progress.plan.done(), planned = progress.plan.planned();
  if (style_ == ProgressStyle::kQuiet) return;
  if (!begun_ && progress.stored > 0) {
    std::fprintf(stderr, "going on: %lld trials are there already\n", static_cast<long long>(progress.stored));
    last_done_ = progress.stored;
  }
  begun_ = true;
  if (style_ == ProgressStyle::kTerminal) {
    if (last_seconds_ >= 0 && progress.seconds - last_seconds_ < kRedrawSeconds) return;
    draw(progress);
  } else {
    const bool tenth = planned > 0 && 10 * done / planned > 10 * last_done_ / planned;
    if (progress.seconds - std::max(last_seconds_, 0.0) < kLineSeconds && !tenth) return;
    std::string line = counts(progress);
    for (const std::string& model : standing(progress.plan)) line += "; " + model;
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  last_seconds_ = progress.seconds;
  last_done_ = done;
}

void Progress::draw(const lab::RunProgress& progress) {
  const std::size_t width = terminal_width(STDERR_FILENO).value_or(80);
  const std::int64_t planned = std::max<std::int64_t>(progress.plan.planned(), 1);
  const double fraction = static_cast<double>(progress.plan.done()) / static_cast<double>(planned);
  const std::string text = fitted(counts(progress), width - 1);
  const std::size_t room = width > text.size() + 3 ? std::min<std::size_t>(width - text.size() - 3, 30) : 0;
  clear();
  std::fprintf(stderr, "%s %s", bar(fraction, room).c_str(), text.c_str());
  drawn_ = 1;
  for (const std::string& line : standing(progress.plan)) {
    std::fprintf(stderr, "\n%s", fitted(line, width - 1).c_str());
    ++drawn_;
  }
}

void Progress::clear() {
  for (; drawn_ > 0; --drawn_) std::fputs(drawn_ > 1 ? "\r\033[K\033[1A" : "\r\033[K", stderr);
}

}  // namespace norma::cli
