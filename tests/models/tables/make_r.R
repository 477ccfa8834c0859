# Make tables of R, as it prints and writes them, with its own predictions.
# Made with R 4.2.2; raw.csv comes of make_raw.py. Run it in this folder: Rscript make_r.R
raw <- read.csv("raw.csv", stringsAsFactors = TRUE)
form <- "age + log(income) + region + smoker + age:region"
fits <- list(
  r_lm = lm(as.formula(paste("visits ~", form, "+ I(age^2)")), raw),
  r_glm = glm(as.formula(paste("defaulted ~", form)), binomial, raw),
  r_poisson = glm(as.formula(paste("visits ~", form)), poisson, raw)
)
predictions <- data.frame(id = raw$id)
for (name in names(fits)) {
  fit <- fits[[name]]
  writeLines(capture.output(print(summary(fit))), paste0(name, ".txt"))
  table <- as.data.frame(summary(fit)$coefficients)
  write.csv(table, paste0(name, ".csv"))
  # As broom::tidy has them.
  names(table) <- c("estimate", "std.error", "statistic", "p.value")
  tidy <- cbind(term = rownames(table), table)
  write.table(tidy, paste0(name, "_tidy.tsv"), sep = "\t", row.names = FALSE, quote = FALSE)
  predictions[[name]] <- predict(fit, raw, type = "response")
}
# A collinear column has no coefficient.
raw$twice <- 2 * raw$age
aliased <- lm(visits ~ age + twice + region, raw)
writeLines(capture.output(print(summary(aliased))), "r_aliased.txt")
predictions$r_aliased <- fitted(aliased)
raw$grade <- factor(raw$grade, c("low", "middle", "high"))
multi <- nnet::multinom(grade ~ age + region, raw, trace = FALSE)
co <- coef(multi)
# As broom::tidy has them: the first level is what the others are compared with.
long <- do.call(rbind, lapply(rownames(co), function(level)
  data.frame(y.level = level, term = colnames(co), estimate = unname(co[level, ]))))
write.csv(long, "r_multinom_tidy.csv", row.names = FALSE)
p <- predict(multi, raw, type = "probs")
for (level in colnames(p)) predictions[[paste0("probability_", level)]] <- p[, level]
predictions$prediction <- predict(multi, raw)
write.csv(predictions, "r_predictions.csv", row.names = FALSE)
