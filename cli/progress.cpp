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

std::size_t terminal_width() {
  winsize size{};
  constexpr std::size_t kUsual = 80;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

std::string bar(double fraction, std::size_t width) {
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(width));
  std::string text;
  for (std::size_t i = 0; i < width; ++i) text += i < full ? "█" : "░";
  return text;
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

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
}

namespace {

std::string parts_done(const lab::Plan& plan) {
  std::vector<bool> done(plan.study().parts.size(), true);
  for (const lab::Cell& cell : plan.cells()) {
    const bool whole = std::all_of(cell.final.begin(), cell.final.end(), [](const auto& r) { return r.has_value(); });
    if (!whole) done[cell.part] = false;
  }
  return fmt::format("{} of {} parts done", std::count(done.begin(), done.end(), true), done.size());
}

}  // namespace

std::string standing(const lab::Plan& plan) {
  if (plan.study().parts.size() > 1) return parts_done(plan);
  std::string text;
  for (const std::string& arm : plan.study().parts.front().arms) {
    double sum = 0;
    int count = 0;
    for (const lab::Cell& cell : plan.cells()) {
      if (cell.arm != arm) continue;
      for (const auto& result : cell.final) {
        if (!result) continue;
        sum += result->status == lab::TrialStatus::kOk ? result->test_error : 1;
        ++count;
      }
    }
    if (count > 0) text += fmt::format("{}{} {:.1f}%", text.empty() ? "" : ", ", arm, 100 * sum / count);
  }
  return text.empty() ? "tuning learning rates" : "error so far: " + text;
}

std::string counts(const lab::RunProgress& progress) {
  const std::int64_t done = progress.plan.done(), planned = progress.plan.planned();
  std::string text = fmt::format("{}/{} trials, {}%", done, planned, planned > 0 ? 100 * done / planned : 100);
  const std::int64_t here = done - progress.stored;
  if (here > 0 && progress.seconds > 0) {
    const double rate = static_cast<double>(here) / progress.seconds;
    text += fmt::format(", {:.{}f}/s, {} left", rate, rate < 1 ? 2 : 1,
                        duration(static_cast<double>(planned - done) / rate));
  }
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
    std::fprintf(stderr, "%s; %s\n", counts(progress).c_str(), standing(progress.plan).c_str());
  }
  last_seconds_ = progress.seconds;
  last_done_ = done;
}

void Progress::draw(const lab::RunProgress& progress) {
  const std::size_t width = terminal_width();
  const std::int64_t planned = std::max<std::int64_t>(progress.plan.planned(), 1);
  const double fraction = static_cast<double>(progress.plan.done()) / static_cast<double>(planned);
  const std::string text = counts(progress).substr(0, width - 1);
  const std::size_t room = width > text.size() + 3 ? std::min<std::size_t>(width - text.size() - 3, 30) : 0;
  const std::string below = standing(progress.plan).substr(0, width - 1);
  clear();
  std::fprintf(stderr, "%s %s\n%s", bar(fraction, room).c_str(), text.c_str(), below.c_str());
  drawn_ = true;
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K\033[1A\033[K", stderr);
  drawn_ = false;
}

}  // namespace norma::cli
