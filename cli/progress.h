// How a running study is told on standard error: in place on a terminal (a bar with done, total, rate and time left,
// and the arms' standing below, a line for each model), else as plain lines, one every ten seconds or tenth of the way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/study/run.h"
#include "lab/study/study.h"

namespace norma::cli {

enum class ProgressStyle : std::uint8_t { kQuiet, kLines, kTerminal };

// What standard error is, unless --quiet; a dumb terminal gets lines.
ProgressStyle progress_style(bool quiet);
// Whether this stream takes colour: a terminal, and NO_COLOR is not set (https://no-color.org).
bool takes_colour(int descriptor);
// Columns of the terminal behind this stream, or as COLUMNS says where it does not tell; 80 where neither does. At
// least
// 20. Nothing where it is no terminal.
std::optional<std::size_t> terminal_width(int descriptor);

// "1h 02m", "2m 05s", "14s".
std::string duration(double seconds);
// "mlp, normalization batch 2, 3 seeds: none 5.2%, batch 14.1%", one for each model: the mean test error of arms that
// can be compared, which is on one model, at one normalization batch (the one that has the most seeds, of equals the
// smallest) and over the seeds that all these arms have finished; a trial that was lost counts as wrong everywhere.
// Nothing of a model while fewer than two arms have a seed in common; "tuning learning rates" before any final trial.
// Of a study of several parts first how many of them are done, then the same of the first parts that are not, three
// lines at most.
std::vector<std::string> standing(const lab::Plan& plan);
// "123/340 trials, 36%, 2.9/s, 1m 14s left"; without the last while it is not known, and where it is under a second.
std::string counts(const lab::RunProgress& progress);

class Progress {
 public:
  explicit Progress(ProgressStyle style) : style_(style) {}
  void update(const lab::RunProgress& progress);
  // Takes the bar away, so that what follows starts on a clean line.
  void clear();

 private:
  void draw(const lab::RunProgress& progress);

  const ProgressStyle style_;
  bool begun_ = false;
  std::size_t drawn_ = 0;  // lines
  double last_seconds_ = -1;
  std::int64_t last_done_ = 0;
};

}  // namespace norma::cli
