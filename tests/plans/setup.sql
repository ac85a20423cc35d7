CREATE EXTENSION pg_stat_statements;
CREATE TABLE orders (number int, line int, amount int, note text);
INSERT INTO orders SELECT i, j, i, 'note ' || i FROM generate_series(1, 1000) i, generate_series(1, 5) j;
CREATE INDEX ON orders (number);
CREATE TABLE owner (id int PRIMARY KEY, note text);
INSERT INTO owner SELECT i, 'note ' || i FROM generate_series(1, 1000) i;
CREATE TABLE owned (id int PRIMARY KEY, owner int REFERENCES owner ON DELETE CASCADE, note text);
INSERT INTO owned SELECT i, i % 1000 + 1, 'note ' || i FROM generate_series(1, 3000) i;
CREATE INDEX ON owned (owner);
CREATE TABLE gone (line int);
INSERT INTO gone SELECT i FROM generate_series(1, 3) pass, generate_series(1, 900) i;
CREATE TABLE parted (id int, part int, note text) PARTITION BY LIST (part);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT i, i % 2 + 1, 'note ' || i FROM generate_series(1, 2000) i;
CREATE FUNCTION remove(upto int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 900..upto LOOP
    DELETE FROM orders WHERE number = i;
  END LOOP;
END $$;
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
