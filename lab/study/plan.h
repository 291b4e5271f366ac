// What a study still has to train, as its results come in.
//
// A cell is one arm on one model at one normalization batch (arms that do not share over the batch have one cell a
// model). Each cell first tunes its learning rate: every rate of the grid on every tuning seed, by the mean validation
// error; while the best is at the edge of the grid, the grid grows there by one rate, at most `widen` times. Then it
// trains the final trials, one a seed, at the best rate. Cells go their ways independently, so workers never wait for
// one another.
//
// Cells that train the very same trials (models that differ in `groups` alone, on an arm without groups) share them: a
// trial is handed out once and its result goes to all.
//
// The plan is a function of the study and the results alone: feeding it the stored results leads back to the same
// state. That is how a study resumes and how its results are read.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/study/study.h"
#include "lab/trial/spec.h"

namespace norma::lab {

struct PlannedTrial {
  std::string key;
  TrialSpec spec;
};

struct TuningPoint {
  double learning_rate = 0;
  std::vector<std::optional<double>> validation_errors;  // one a tuning seed

  bool complete() const;
  double mean() const;  // of those there are
};

struct Cell {
  std::size_t model = 0;  // index into the study's models
  std::string arm;
  std::int64_t normalization_batch = 0;           // 0: the arm does not share over the batch
  std::vector<TuningPoint> tuning;                // by ascending learning rate
  std::optional<double> learning_rate;            // once tuned
  bool at_edge = false;                           // the best rate is the lowest or highest tried
  std::int64_t widened = 0;                       // how often the grid grew
  std::vector<std::optional<TrialResult>> final;  // one a seed
};

class Plan {
 public:
  Plan(const StudySpec& spec, const std::string& code_version);

  // A trial that is ready and was not handed out before, tuning first; nothing if there is none at present.
  std::optional<PlannedTrial> next();
  // The result of a trial that was handed out.
  void finished(const std::string& key, const TrialResult& result);

  const std::vector<Cell>& cells() const { return cells_; }
  // All trials, each counted once, as far as is known: grids may still grow.
  std::int64_t planned() const;
  std::int64_t done() const { return done_; }
  std::int64_t done_final() const { return done_final_; }

 private:
  struct Place {
    std::size_t cell = 0;
    bool tuning = false;
    double learning_rate = 0;
    std::size_t seed = 0;  // index
  };

  void add_tuning(std::size_t cell, double learning_rate);
  void add(const Place& place);
  void serve(const Place& place, const TrialResult& result);
  bool widen(std::size_t cell, bool down, bool up);
  void choose(std::size_t cell);
  PlannedTrial trial_at(const Place& place) const;

  const StudySpec spec_;
  const std::string code_version_;
  std::vector<Cell> cells_;
  std::deque<PlannedTrial> ready_tuning_, ready_final_;
  std::map<std::string, std::vector<Place>> places_;  // of all trials so far, by key
  std::vector<bool> shares_;                          // of a cell: its trials are those of an earlier one
  std::int64_t done_ = 0, done_final_ = 0;
};

}  // namespace norma::lab
