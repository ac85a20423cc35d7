ALTER TABLE customers ADD IF NOT EXISTS since date;
