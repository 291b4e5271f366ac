// What a study still has to train, as its results come in.
//
// A cell is one arm on one model at one normalization batch (arms that do not share over the batch have one cell a
// model). Each cell first tunes its learning rate: every rate of the grid on every tuning seed, by the mean validation
// error; while the best is at the edge of the grid, the grid grows there by one rate, at most `widen` times. Then it
// trains the final trials, one a seed, at the best rate. Cells go their ways independently, so workers never wait for
// one another.
//
// Cells that train the very same trials (in two parts that differ elsewhere, or models that differ in `groups` alone on
// an arm without groups) share them: a trial is handed out once and its result goes to all.
//
// Where the study says that all arms take the rate of one (`rate_of`), that one alone is tuned, at each model: at its
// largest normalization batch, should it share over the batch.
//
// The plan is a function of the study and the results alone: feeding it the stored results leads back to the same
// state. That is how a study resumes and how its results are read.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lab/study/study.h"
#include "lab/trial/spec.h"

namespace norma::lab {

struct PlannedTrial {
  std::string key;
  TrialSpec spec;
  std::string kind;  // trials of one kind (the same model on the same data) take about the same time
};

struct TuningPoint {
  double learning_rate = 0;
  std::vector<std::optional<double>> validation_errors;  // one a tuning seed

  bool complete() const;
  double mean() const;  // of those there are
};

struct Cell {
  std::size_t part = 0;   // index into the study's parts
  std::size_t model = 0;  // index into the part's models
  std::string arm;
  std::int64_t normalization_batch = 0;           // 0: the arm does not share over the batch
  std::vector<TuningPoint> tuning;                // by ascending learning rate
  std::optional<double> learning_rate;            // once tuned
  bool at_edge = false;                           // the best rate is the lowest or highest tried
  std::int64_t widened = 0;                       // how often the grid grew
  std::vector<std::optional<TrialResult>> final;  // one a seed
};

// What trials took, tuning and final.
struct Spent {
  std::int64_t trials = 0, steps = 0;
  double seconds = 0;
};

class Plan {
 public:
  Plan(const Study& study, const std::string& code_version);

  // A trial that is ready and was not handed out before, tuning first; nothing if there is none at present.
  std::optional<PlannedTrial> next();
  // The result of a trial that was handed out.
  void finished(const std::string& key, const TrialResult& result);

  const Study& study() const { return study_; }
  // Of all parts, one behind the other.
  const std::vector<Cell>& cells() const { return cells_; }
  std::vector<Cell> cells_of(std::size_t part) const;
  // Of these parts together: a trial that they share counts once.
  Spent spent(const std::vector<std::size_t>& parts) const;
  // Whether two of cells() have the very same final trials, as far as is known.
  bool same_trials(const Cell& a, const Cell& b) const;
  // The keys of a part's finished trials.
  const std::set<std::string>& trials_of(std::size_t part) const { return trials_of_[part]; }
  // All trials, each counted once, as far as is known: grids may still grow.
  std::int64_t planned() const;
  std::int64_t done() const { return done_; }
  // Of one worker, for all that is planned and not done, by the mean of its kind; nothing while of some kind no trial
  // is done.
  std::optional<double> seconds_left() const;
  std::int64_t done_final() const { return done_final_; }

 private:
  struct Place {
    std::size_t cell = 0;
    bool tuning = false;
    double learning_rate = 0;
    std::size_t seed = 0;  // index
  };

  void add_part(std::size_t part);
  // Cells that are not tuned yet, by what will make them share their final trials; how many each will have.
  std::map<std::string, std::pair<std::size_t, std::size_t>> finals_to_come() const;
  const StudySpec& part_of(const Cell& cell) const { return study_.parts[cell.part]; }
  // The cell whose tuning gives this one its rate: itself, unless the part says otherwise.
  std::size_t tuned_by(std::size_t cell) const;
  void add_tuning(std::size_t cell, const std::vector<double>& learning_rates);
  void add(const Place& place);
  void serve(const Place& place, const TrialResult& result);
  bool widen(std::size_t cell, bool down, bool up);
  void choose(std::size_t cell);
  PlannedTrial trial_at(const Place& place) const;

  const Study study_;
  const std::string code_version_;
  std::vector<Cell> cells_;
  std::vector<std::size_t> tuned_by_;                  // of each cell
  std::vector<std::string> final_keys_, tuning_keys_;  // of each cell: what its trials are, but for rate and seed
  std::vector<std::string> kinds_;                     // of each cell
  std::map<std::string, Spent> spent_;                 // of each kind
  std::vector<std::set<std::string>> trials_of_;       // of each part, the keys of those that are finished
  std::deque<PlannedTrial> ready_tuning_, ready_final_;
  std::map<std::string, std::vector<Place>> places_;  // of all trials so far, by key
  std::map<std::string, TrialResult> results_;        // of those that are finished
  std::deque<std::pair<Place, std::string>> late_;    // places of trials that were finished before, by key
  std::int64_t done_ = 0, done_final_ = 0;
};

}  // namespace norma::lab
